import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPartner } from '../../src/core/partners/partner.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { findNatsServer, searchPathOf, startNatsServer } from '../../src/local/nats-server.ts'
import { createLog, type Log } from '../../src/runtime/log.ts'
import { createVault } from '../../src/runtime/seal.ts'
import { testActor } from '../../test/support/actor.ts'
import { cpuSeconds } from './cpu-time.ts'
import { startBenchPostgres } from './postgres.ts'

/** A Postgres and a NATS of a measurement's own, with partners. */
export type DeliveryServices = {
  database: Database
  log: Log
  secretKey: Buffer
  /** Where its files are, and whether they stay there for the next run. */
  folder: string
  isKept: boolean
  natsUrl: string
  /** For processes of the gateway. */
  environment: Record<string, string>
  partnerIds: bigint[]
  /** A key of each of them, in their order. */
  apiKeys: string[]
  postgresPid: number
  natsPid: number
  /** Seconds of CPU so far; null where the system does not tell. */
  cpu(): Promise<{ postgres: number | null; nats: number | null }>
  stop(): Promise<void>
}

/** Where `npm start` keeps a nats-server that it had to fetch. */
const BIN_FOLDER = join(import.meta.dirname, '..', '..', '.data', 'bin')

/** What files that stay are sealed with: they are of payments that never were. */
const KEPT_SECRET_KEY = Buffer.alloc(32, 7)

/** Starts both, durable as they are by default, and makes partners that have signing secrets. */
export const startDeliveryServices = async (options: {
  partners: number
  say: (text: string) => void
  /** Settings of Postgres, beside the usual ones. */
  postgresSettings?: Record<string, string>
  isFresh?: boolean
  /** Where the files stay, to be used again by a later run; by default they are removed. */
  keptFolder?: string | undefined
}): Promise<DeliveryServices> => {
  const { say, keptFolder } = options
  const folder = keptFolder ?? (await mkdtemp(join(tmpdir(), 'gateway-bench-')))
  await mkdir(folder, { recursive: true })
  const program = await findNatsServer({ binFolder: BIN_FOLDER, searchPath: searchPathOf(process.env), say })
  const nats = await startNatsServer({ program, dataFolder: join(folder, 'nats'), say })
  const postgres = await startBenchPostgres({
    dataFolder: join(folder, 'postgres'),
    say,
    settings: options.postgresSettings ?? {},
    isFresh: options.isFresh ?? false,
  })
  const log = createLog({ name: 'bench', level: 'warn' })
  await migrateToLatest({ databaseUrl: postgres.url, log })
  const database = connectDatabase({ databaseUrl: postgres.url, poolSize: 4, log })
  const secretKey = keptFolder === undefined ? randomBytes(32) : KEPT_SECRET_KEY
  const stop = async (): Promise<void> => {
    await database.destroy()
    await Promise.all([postgres.stop(), nats.stop()])
    if (keptFolder === undefined) await rm(folder, { recursive: true, force: true })
  }
  const partners = await createPartners({ ...options, database, secretKey })
  return {
    database,
    log,
    secretKey,
    folder,
    isKept: keptFolder !== undefined,
    natsUrl: nats.url,
    environment: {
      DATABASE_URL: postgres.url,
      NATS_URL: nats.url,
      SECRET_KEY: secretKey.toString('hex'),
      SPOOL_DIR: join(folder, 'spool'),
      OPS_PORT: '0',
      CALLBACK_ALLOW_HTTP: 'on',
      CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
    },
    partnerIds: partners.map(({ partnerId }) => partnerId),
    apiKeys: partners.map(({ apiKey }) => apiKey),
    postgresPid: postgres.pid,
    natsPid: nats.pid,
    cpu: async () => ({ postgres: await cpuSeconds(postgres.pid), nats: await cpuSeconds(nats.pid) }),
    stop,
  }
}

/** Makes partners that have signing secrets, with a key each. */
export const createPartners = async (options: {
  database: Database
  secretKey: Buffer
  partners: number
}): Promise<{ partnerId: bigint; apiKey: string }[]> => {
  const { database, secretKey } = options
  const vault = createVault({ secretKey, previousSecretKey: null, randomBytes })
  const partners = []
  for (let number = 1; number <= options.partners; number += 1) {
    partners.push(
      await createPartner({ actor: testActor, database, vault, randomBytes, name: `Bench ${number}` }),
    )
  }
  return partners
}
