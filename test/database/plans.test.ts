import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openCallbackReceiver } from '../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../support/core.ts'
import { createTestDatabase } from '../support/database.ts'
import { leaveDeadDuties } from '../support/dead-duties.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL, type Explained, nodesOf, rowsOf } from '../support/explain.ts'
import { loadHistory } from '../support/history.ts'
import { holdSnapshot } from '../support/hold-snapshot.ts'
import { paymentRequest } from '../support/requests.ts'

/** Payments that are there already: `PAYMENTS=1000000` shows that as many more make no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)

/** Payments that are made in each state of the tables, and how many of them together. */
const MADE = 48
const TOGETHER = 12

/**
 * Blocks that a statement may touch at most: for itself, which is most where a connection runs it for the first time,
 * and for each of its rows. The same whatever the tables hold: 20,000 payments are 700 blocks, a million 35,000.
 */
const BLOCKS_FOR_ITSELF = 150
const BLOCKS_A_ROW = 30

/** The same for each table in which it writes for that row, where these are more than a few. */
const BLOCKS_A_TABLE = 8

/** Tables that grow with the payments, and those whose dead rows do. */
const GROWING =
  /^(?:payments|deliveries|payment_history|callbacks|attempts|idempotency_keys|receipts)_\d|^to_/

/** Tables that a payment's way is known to write: where one is missing, its statements were not seen. */
const WRITTEN = [
  'attempts',
  'callbacks',
  'deliveries',
  'idempotency_keys',
  'payment_history',
  'payments',
  'receipts',
  'to_deliver',
  'to_interpret',
  'to_query',
  'to_submit',
]

/** Duties that have died in each table while a snapshot is held, and how often looks then begin before all of them. */
const DEAD = 20_000
const FROM_BEGINNING_EVERY_MS = 4_000

/** Looks for what is due; every other statement knows the keys of its duties. */
const LOOKS = [
  /^\s*WITH RECURSIVE others .* "to_submit"/s,
  /^\s*WITH RECURSIVE others .* "to_query"/s,
  /^\s*WITH RECURSIVE others .* "to_confirm"/s,
  /^\s*WITH due AS \(\s*DELETE FROM to_interpret\s/,
  /^\s*WITH due AS \(\s*SELECT delivery_id, publish_at FROM to_deliver\s/,
  /^\s*WITH overdue AS \(\s*SELECT .* FROM to_deliver\s/,
]

/** What counts traffic and sums totals once a minute, for all payments at once: see test/core/traffic and test/core/totals. */
const COUNTS = /INSERT INTO (?:traffic_counts|daily_totals)/

/** All statements that the processes send while payments go their whole way, whatever these are, each by its real plan. */
describe('the statements of a payment', () => {
  const explained = collectPlans()
  let harness: Harness
  let core: TestCore
  const cleanUp: (() => Promise<unknown>)[] = []
  let made = 0

  beforeAll(async () => {
    const database = await createTestDatabase()
    harness = await startHarness(database.url, EXPLAIN_ALL)
    core = await startTestCore({ database: harness.database }, database)
    const receiver = await openCallbackReceiver(core)
    cleanUp.push(
      () => harness.stop(),
      () => receiver.close(),
      () => core.stop(),
    )
    const queue = harness.openQueue()
    harness.publish(queue)
    harness.dispatch({ queue })
  })
  afterAll(async () => {
    for (const step of cleanUp) await step()
  })

  /** Has payments made, delivered and read, and one asked for twice; resolves with the statements that it took. */
  const pay = async (): Promise<Explained[]> => {
    explained.length = 0
    const { payments } = core.clients
    const options = { headers: core.headers }
    for (const until = made + MADE; made < until; ) {
      const requests = Array.from({ length: TOGETHER }, () => {
        made += 1
        return paymentRequest({
          callbackUrl: `${harness.receiver.url}/callback`,
          idempotencyKey: `order ${made}`,
        })
      })
      const answers = await Promise.all(requests.map((one) => payments.requestPayment(one, options)))
      await payments.requestPayment(requests[0] ?? {}, options)
      await eventually(() => expect(harness.receiver.received).toHaveLength(made))
      await payments.getPayment({ paymentId: answers[0]?.paymentId ?? 0n }, options)
    }
    await payments.listPayments({}, options)
    await eventually(async () => expect(await openDuties()).toEqual([]))
    return explained.filter((one) => !COUNTS.test(one.text))
  }

  const openDuties = async (): Promise<unknown[]> =>
    (await sql`SELECT delivery_id FROM to_deliver`.execute(core.database)).rows

  const readsWhole = ({ plan }: Explained): boolean =>
    nodesOf(plan).some(
      (node) => node['Node Type'] === 'Seq Scan' && GROWING.test(node['Relation Name'] ?? ''),
    )

  const judge = (statements: readonly Explained[]): void => {
    if (process.env['PAYMENTS'] !== undefined) print(statements)
    expect(textsOf(statements.filter(readsWhole))).toEqual([])
    expect(textsOf(statements.filter(readsMuch))).toEqual([])
  }

  const readsMuch = (one: Explained): boolean =>
    blocksOf(one) > BLOCKS_FOR_ITSELF + blocksForARow(one) * rowsOf(one)

  const isLook = ({ text }: Explained): boolean => LOOKS.some((look) => look.test(text))

  const blocksForARow = ({ plan }: Explained): number =>
    Math.max(
      BLOCKS_A_ROW,
      BLOCKS_A_TABLE * nodesOf(plan).filter((node) => node['Node Type'] === 'ModifyTable').length,
    )

  const textsOf = (statements: readonly Explained[]): string[] => [
    ...new Set(
      statements.map(
        (one) =>
          `${blocksOf(one)} blocks for ${rowsOf(one)} rows: ${one.text.replaceAll(/\s+/g, ' ').trim()}`,
      ),
    ),
  ]

  /** Of each statement, the time that it took most blocks a row. */
  const print = (statements: readonly Explained[]): void => {
    for (const all of Map.groupBy(statements, ({ text }) => text).values()) {
      const [most] = all.toSorted((one, other) => blocksARow(other) - blocksARow(one))
      if (most !== undefined) process.stdout.write(`${textsOf([most])[0]?.slice(0, 120)}\n`)
    }
  }

  const blocksARow = (one: Explained): number => blocksOf(one) / Math.max(1, rowsOf(one))

  it('are planned by indexes while the tables are empty', async () => {
    const statements = await pay()
    judge(statements)
    const written = statements.flatMap(({ plan }) =>
      nodesOf(plan).flatMap((node) =>
        node['Node Type'] === 'ModifyTable' ? (node['Relation Name'] ?? []) : [],
      ),
    )
    expect(new Set(written.map((table) => table.replace(/_\d.*$/, '')))).toEqual(
      new Set([...WRITTEN, ...written.filter((table) => !/_\d/.test(table))]),
    )
  })

  it(`go on so beside ${PAYMENTS} payments that have come since they were planned`, async () => {
    await loadHistory(core.database, { payments: PAYMENTS, partners: 50 })
    judge(await pay())
  }, 3_600_000)

  it('are planned so anew, by what Postgres knows of those', async () => {
    await sql`ANALYZE`.execute(core.database)
    judge(await pay())
  }, 600_000)

  it('read few blocks too while a snapshot keeps what has died since', async () => {
    const snapshot = await holdSnapshot(core.databaseUrl)
    onTestFinished(() => snapshot.end())
    await leaveDeadDuties(core.database, DEAD)
    explained.length = 0
    // Each loop has to learn first how much is dead: from then on it begins later.
    await eventually(() =>
      expect(
        LOOKS.filter((look) => !explained.some((one) => look.test(one.text) && !readsMuch(one))),
      ).toEqual([]),
    )
    const startedMs = performance.now()
    const statements = [...(await pay()), ...(await pay()), ...(await pay())]
    // Two loops look at what is to be submitted, by the same statement: the one that pushes it, and the one that judges
    // whether it waits for too long.
    const looksFromBeginning = 2 * (1 + (performance.now() - startedMs) / FROM_BEGINNING_EVERY_MS)
    const byText = Map.groupBy(statements.filter(readsMuch), ({ text }) => text)
    const often = [...byText.values()].filter((all) => all.length > looksFromBeginning)
    expect(often.flatMap(textsOf)).toEqual([])
    expect(textsOf(statements.filter((one) => readsMuch(one) && !isLook(one)))).toEqual([])
  }, 120_000)
})
