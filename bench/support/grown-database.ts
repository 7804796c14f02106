import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { sumTotals } from '../../src/core/totals/sum-totals.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { ensureDatabase } from '../../src/local/postgres.ts'
import { loadHistory } from '../../test/support/history.ts'
import { createPartners, type DeliveryServices } from './delivery-services.ts'

const CONNECTIONS = 2

/** A database with so many payments in it, on the Postgres of a measurement. */
export type GrownDatabase = {
  payments: number
  url: string
  database: Database
  /** Everything that processes of the gateway need to work on it, and on nothing of another's. */
  services: Omit<DeliveryServices, 'stop'>
}

type Partners = { partnerId: bigint; apiKey: string }[]

/**
 * Makes a database with partners and `payments` payments that have ended, summed and vacuumed as such a one is. One
 * that is there because its files were kept is brought to the schema of today, and used as it is.
 */
export const growDatabase = async (
  services: DeliveryServices,
  { partners, payments }: { partners: number; payments: number },
): Promise<GrownDatabase> => {
  const name = `grown_${payments}`
  const databaseUrl = await ensureDatabase(services.environment['DATABASE_URL'] ?? '', name)
  await migrateToLatest({ databaseUrl, log: services.log })
  const database = connectDatabase({ databaseUrl, poolSize: CONNECTIONS, log: services.log })
  const keptFile = join(services.folder, `${name}.json`)
  let made = services.isKept ? await readKept(keptFile) : null
  if (made === null) {
    made = await createPartners({ database, partners, secretKey: services.secretKey })
    if (payments > 0) {
      await loadHistory(database, { payments, partners, atOnce: CONNECTIONS })
      await fillTotals(database)
      await sql`VACUUM (ANALYZE)`.execute(database)
    }
    if (services.isKept) await writeKept(keptFile, made)
  }
  return {
    payments,
    url: databaseUrl,
    database,
    services: {
      ...services,
      database,
      partnerIds: made.map(({ partnerId }) => partnerId),
      apiKeys: made.map(({ apiKey }) => apiKey),
      environment: {
        ...services.environment,
        DATABASE_URL: databaseUrl,
        NATS_STREAM: name,
        SPOOL_DIR: `${services.environment['SPOOL_DIR']}-${name}`,
      },
    },
  }
}

/** Sums what was paid, which `serve` else does beside the first minutes of a measurement. */
const fillTotals = async (database: Database): Promise<void> => {
  while ((await sumTotals(database))?.is_filled !== true);
}

/** The partners of a database that is there whole; null where it is not. */
const readKept = async (file: string): Promise<Partners | null> => {
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) return null
  const apiKeys = JSON.parse(text) as string[]
  return apiKeys.map((apiKey, index) => ({ partnerId: BigInt(index + 1), apiKey }))
}

const writeKept = (file: string, partners: Partners): Promise<void> =>
  writeFile(file, JSON.stringify(partners.map(({ apiKey }) => apiKey)))

/** Pages of the tables that hold duties and of their indexes, kB: dead rows make them grow. */
export const dutyKilobytes = async (database: Database): Promise<number> => {
  const { rows } = await sql<{ kilobytes: number }>`
    SELECT coalesce(sum(pg_total_relation_size(oid)) / 1024, 0)::float8 AS kilobytes
    FROM pg_class WHERE relkind = 'r' AND relname IN ('to_submit', 'to_query', 'to_confirm', 'to_interpret', 'to_deliver')
  `.execute(database)
  return rows[0]?.kilobytes ?? Number.NaN
}
