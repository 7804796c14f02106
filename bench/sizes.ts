import { sql } from 'kysely'
import type { Database } from '../src/database/connect.ts'
import { ensurePartitionsOf, IDS_PER_PARTITION } from '../src/database/partitions.ts'
import { startDeliveryServices } from './support/delivery-services.ts'
import { growDatabase } from './support/grown-database.ts'
import { recycleLog } from './support/postgres.ts'
import { printTable } from './support/report.ts'
import { startBenchDaraja } from './support/whole/daraja.ts'
import { toFigures } from './support/whole/measure.ts'
import { startBenchPartner } from './support/whole/partner.ts'
import { startTheGateway } from './support/whole/systems.ts'

const PARTNERS = 10

const PUSHES_AT_ONCE = 64

/** What takes less than this a payment is left out of the table, bytes. */
const SHOWN_FROM = 0.5

/**
 * `npm run bench sizes`: what a payment takes on disk, by table and index: of `payments` that were loaded at once, and
 * of `count` that go the whole way through one `serve` and one `dispatch` after them; and what these write to the WAL,
 * the first time after a checkpoint, which writes each page whole once, and once more without one. With `partitions`
 * there are so many more partitions, which is what a long history costs those who write.
 */
export const benchSizes = async (options: {
  payments: number
  count: number
  clients: number
  partitions: number
}): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({ partners: 1, say, isFresh: true })
  const daraja = await startBenchDaraja({ answerMs: 5, payerMs: 20 })
  const partner = await startBenchPartner()
  const empty = await growDatabase(services, { partners: 1, payments: 0 })
  const none = await readSizes(empty.database)
  say(`makes ${options.payments} payments`)
  const grown = await growDatabase(services, { partners: PARTNERS, payments: options.payments })
  const loaded = await readSizes(grown.database)
  await addPartitions(grown.database, options.partitions)
  const system = await startTheGateway({
    services: grown.services,
    darajaUrl: daraja.url,
    pushesAtOnce: PUSHES_AT_ONCE,
    gatewayEnvironment: {},
  })
  const pay = async (prefix: string): Promise<Record<string, string>> => {
    const [cpuBefore, walBefore] = [await system.cpu(), await readWal(grown.database)]
    const payments = await partner.run({
      prefix,
      url: system.url,
      apiKeys: system.apiKeys,
      addresses: 1,
      connections: options.clients,
      repeatForMs: 0,
      clients: { count: options.count, atOnce: options.clients },
    })
    const [cpuAfter, walAfter] = [await system.cpu(), await readWal(grown.database)]
    const seen = await daraja.take()
    const { failed, lost, cpuMs } = toFigures({ payments, seen, before: cpuBefore, after: cpuAfter })
    if (failed + lost > 0) throw new Error(`${failed} failed, ${lost} were lost`)
    const each = (name: keyof Wal): string => ((walAfter[name] - walBefore[name]) / options.count).toFixed(1)
    return {
      records: each('records'),
      'whole pages': each('pages'),
      bytes: each('bytes'),
      'Postgres ms': cpuMs.postgres.toFixed(2),
    }
  }
  try {
    // Processes and tables that are used for the first time write what others do not.
    await pay('wx')
    const before = await readSizes(grown.database)
    await recycleLog(grown.database)
    const wal = [
      { 'WAL of a payment': 'after a checkpoint', ...(await pay('mx')) },
      { 'WAL of a payment': 'without one', ...(await pay('nx')) },
    ]
    const lived = await readSizes(grown.database)
    printTable(toRows([loaded, none, options.payments], [lived, before, 2 * options.count]))
    printTable(wal)
  } finally {
    await system.stop()
    await partner.stop()
    await daraja.stop()
    await empty.database.destroy()
    await grown.database.destroy()
    await services.stop()
  }
}

/** Partitions of `payments` and `deliveries` beside those in use, empty: as many as a history of that length has. */
const addPartitions = async (database: Database, count: number): Promise<void> => {
  for (let number = 1; number <= count; number += 1) {
    const id = BigInt(number) * IDS_PER_PARTITION
    await ensurePartitionsOf(database, { payments_id_seq: id, deliveries_id_seq: id })
  }
}

type Wal = { records: number; pages: number; bytes: number }

const readWal = async (database: Database): Promise<Wal> => {
  const { rows } = await sql<Wal>`
    SELECT wal_records::float8 AS records, wal_fpi::float8 AS pages, wal_bytes::float8 AS bytes FROM pg_stat_wal
  `.execute(database)
  return rows[0] ?? { records: Number.NaN, pages: Number.NaN, bytes: Number.NaN }
}

type Sizes = ReadonlyMap<string, number>

/**
 * Bytes of each table (with what is kept beside its pages) and each index, those of partitions under their parent; but
 * for the tables of duties, from which everything is deleted again.
 */
const readSizes = async (database: Database): Promise<Sizes> => {
  const { rows } = await sql<{ name: string; bytes: number }>`
    SELECT CASE relkind WHEN 'i' THEN '  ' || owner || ': ' ELSE '' END || name AS name, sum(bytes)::float8 AS bytes
    FROM (
      SELECT c.relkind, coalesce(pg_partition_root(i.indrelid), i.indrelid)::regclass::text AS owner,
             coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name,
             CASE c.relkind WHEN 'r' THEN pg_table_size(c.oid) ELSE pg_relation_size(c.oid) END AS bytes
      FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
      WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace
    ) AS relations
    WHERE coalesce(owner, name) !~ '^to_'
    GROUP BY relkind, owner, name ORDER BY coalesce(owner, name), relkind DESC, name
  `.execute(database)
  return new Map(rows.map(({ name, bytes }) => [name, bytes]))
}

type Difference = [after: Sizes, before: Sizes, payments: number]

const toRows = (...both: [Difference, Difference]): Record<string, string>[] => {
  const eachOf = (names: readonly string[], [after, before, payments]: Difference): number =>
    names.reduce((sum, name) => sum + ((after.get(name) ?? 0) - (before.get(name) ?? 0)) / payments, 0)
  const names = [...both[0][0].keys()]
  const row = (title: string, of: readonly string[]) => ({
    'bytes of a payment': title,
    loaded: eachOf(of, both[0]).toFixed(0),
    lived: eachOf(of, both[1]).toFixed(0),
  })
  return [
    ...names
      .filter((name) => both.some((one) => Math.abs(eachOf([name], one)) >= SHOWN_FROM))
      .map((name) => row(name, [name])),
    row('all', names),
  ]
}
