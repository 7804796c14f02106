import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { createPartner } from '../src/core/partners/partner.ts'
import { createServiceToken } from '../src/core/partners/service-token.ts'
import { movePayments } from '../src/core/payments/move.ts'
import { connectDatabase, type Database } from '../src/database/connect.ts'
import { migrateToLatest } from '../src/database/migrate.ts'
import type { PaymentStateName } from '../src/database/schema/payments.ts'
import { createLog } from '../src/runtime/log.ts'
import { createVault } from '../src/runtime/seal.ts'
import { cpuSeconds } from './support/cpu-time.ts'
import { startBenchPostgres } from './support/postgres.ts'
import { printTable } from './support/report.ts'
import { type BenchServer, startGateway } from './support/server-process.ts'
import { openWatchers, type Watchers } from './support/watchers.ts'

type Options = { watchers: number; perSecond: number; seconds: number; each: 'all' | 'partner' }

/** How often payments are moved, ms. */
const EVERY_MS = 100

/** How long after the last move every watcher must have everything, ms. */
const PATIENCE_MS = 60_000

/**
 * `npm run bench watch`: so many watchers at one `serve`, each of all payments or each of one partner's, while so many
 * payments a second go from accepted to successful: four events each. Prints the memory of a watcher, the CPU of
 * `serve`, the delay from a move to a watcher, and whether each saw each change once and in order.
 */
export const benchWatch = async (options: Options): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const folder = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  await using open = new AsyncDisposableStack()
  open.defer(() => rm(folder, { recursive: true, force: true }))
  const postgres = open.adopt(
    await startBenchPostgres({ dataFolder: join(folder, 'postgres'), say, isFresh: true }),
    (one) => one.stop(),
  )
  const log = createLog({ name: 'bench', level: 'warn' })
  await migrateToLatest({ databaseUrl: postgres.url, log })
  const database = open.adopt(connectDatabase({ databaseUrl: postgres.url, poolSize: 3, log }), (one) =>
    one.destroy(),
  )
  const secretKey = randomBytes(32)
  const partners = await addPartners(database, secretKey, options.each === 'all' ? 1 : options.watchers)
  const { token } = await createServiceToken({
    database,
    name: 'bench',
    scopes: ['payments:read'],
    actor: ACTOR,
    randomBytes,
  })
  const serve = open.adopt(await startServe(postgres.url, folder, secretKey, options), (one) => one.stop())
  await measure({ options, database, serve, partners, token })
}

const ACTOR = { kind: 'operator', name: 'bench', from: 'bench' } as const

const addPartners = async (database: Database, secretKey: Uint8Array, count: number): Promise<bigint[]> => {
  const vault = createVault({ secretKey, previousSecretKey: null, randomBytes })
  const ids: bigint[] = []
  for (let made = 0; made < count; made += 1) {
    const { partnerId } = await createPartner({ actor: ACTOR, database, name: 'Duka', vault, randomBytes })
    ids.push(partnerId)
  }
  return ids
}

const startServe = (databaseUrl: string, folder: string, secretKey: Uint8Array, { watchers }: Options) =>
  startGateway('serve', {
    DATABASE_URL: databaseUrl,
    SECRET_KEY: Buffer.from(secretKey).toString('hex'),
    SPOOL_DIR: join(folder, 'spool'),
    HTTP_PORT: '0',
    GRPC_PORT: '0',
    CONNECT_PORT: '0',
    OPS_PORT: '0',
    PUBLIC_URL: 'http://127.0.0.1:9',
    DARAJA_BASE_URL: 'http://127.0.0.1:9',
    DARAJA_CONSUMER_KEY: 'key',
    DARAJA_CONSUMER_SECRET: 'secret',
    DARAJA_SHORTCODE: '174379',
    DARAJA_PASSKEY: 'passkey',
    CALLBACK_ALLOW_HTTP: 'on',
    CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on',
    WATCHERS_MAX: String(watchers),
    WATCHERS_PER_PARTNER: String(watchers),
  })

const measure = async (stage: {
  options: Options
  database: Database
  serve: BenchServer
  partners: readonly bigint[]
  token: string
}): Promise<void> => {
  const { options, database, serve, partners, token } = stage
  const megabytesBefore = await megabytesOf(serve.pid)
  const watchers = await openWatchers({
    url: serve.ready['grpc_url'] ?? '',
    token,
    count: options.watchers,
    partnerOf: (watcher) => (options.each === 'all' ? null : (partners[watcher] ?? null)),
  })
  const idleFrom = await cpuSeconds(serve.pid)
  await pause(5_000)
  const idleTo = await cpuSeconds(serve.pid)
  const megabytesIdle = await megabytesOf(serve.pid)
  await makePayments(database, partners, options)
  const busyTo = await cpuSeconds(serve.pid)
  const isRight = await judge(database, watchers, partners, options)
  const delaysMs = watchers.delaysMs.toSorted((one, other) => one - other)
  const share = (from: number | null, to: number | null, seconds: number) =>
    `${Math.round((100 * ((to ?? 0) - (from ?? 0))) / seconds)} %`
  printTable([
    {
      watchers: options.watchers,
      'of each': options.each,
      'settled/s': options.perSecond,
      'KB a watcher': Math.round(((megabytesIdle - megabytesBefore) * 1024) / options.watchers),
      'MB at the end': Math.round(await megabytesOf(serve.pid)),
      'CPU idle': share(idleFrom, idleTo, 5),
      'CPU busy': share(idleTo, busyTo, options.seconds),
      'p50 ms': Math.round(delaysMs[Math.floor(delaysMs.length / 2)] ?? 0),
      'p99 ms': Math.round(delaysMs[Math.floor(delaysMs.length * 0.99)] ?? 0),
      'each once, in order': isRight,
      'streams ended': watchers.failed(),
    },
  ])
  watchers.close()
}

/** Takes payments from accepted to successful, in batches that overlap, at the rate that is asked for. */
const makePayments = async (
  database: Database,
  partners: readonly bigint[],
  { perSecond, seconds }: Options,
): Promise<void> => {
  const batch = Math.max(1, Math.round((perSecond * EVERY_MS) / 1000))
  const under: Promise<void>[] = []
  let turn = 0
  const fromMs = performance.now()
  for (let round = 1; round <= (seconds * 1000) / EVERY_MS; round += 1) {
    const owners = Array.from({ length: batch }, () => partners[(turn += 1) % partners.length] ?? 1n)
    under.push(livePayments(database, owners))
    await pause(Math.max(0, fromMs + round * EVERY_MS - performance.now()))
  }
  await Promise.all(under)
}

const WAY: readonly [PaymentStateName, PaymentStateName][] = [
  ['accepted', 'submitting'],
  ['submitting', 'submitted'],
  ['submitted', 'successful'],
]

const livePayments = async (database: Database, owners: readonly bigint[]): Promise<void> => {
  const { rows } = await sql<{ id: bigint }>`
    INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url, reference)
    SELECT owner, 150, 'accepted', now() + interval '1 day', '254712345678',
           'https://yourapp.example.com/payment_callback', 'INV-2025-001'
    FROM unnest(${owners}::bigint[]) AS owners (owner)
    RETURNING id
  `.execute(database)
  for (const [from, to] of WAY) {
    await database.transaction().execute((transaction) =>
      movePayments(
        transaction,
        rows.map(({ id }) => ({ paymentId: id, from, to, cause: 'callback' })),
      ),
    )
  }
}

/** Whether each watcher has every event that is its, once and in the order of all. */
const judge = async (
  database: Database,
  watchers: Watchers,
  partners: readonly bigint[],
  options: Options,
): Promise<string> => {
  const { rows } = await sql<{ name: string; partner_id: bigint }>`
    SELECT concat(id, '.', events.event_number) AS name, partner_id
    FROM (
      SELECT payment_id AS id, event_position, event_number FROM payment_history
      UNION ALL SELECT id, accepted_position, 1 FROM payments
    ) events JOIN payments USING (id)
    ORDER BY events.event_position, id, events.event_number
  `.execute(database)
  const byPartner = Map.groupBy(rows, (row) => row.partner_id)
  const expectedOf = (watcher: number): string => {
    const own = options.each === 'all' ? rows : (byPartner.get(partners[watcher] ?? 0n) ?? [])
    return own.map(({ name }) => name).join(' ')
  }
  let right = 0
  for (const until = Date.now() + PATIENCE_MS; right < options.watchers && Date.now() < until; ) {
    if (watchers.seen(right).join(' ') === expectedOf(right)) right += 1
    else await pause(50)
  }
  return right === options.watchers ? `yes, ${rows.length} events` : `no, not watcher ${right}`
}

/** What a process has in memory. */
const megabytesOf = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024
}
