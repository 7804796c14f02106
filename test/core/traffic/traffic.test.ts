import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { countTraffic, forgetCounts } from '../../../src/core/traffic/count-traffic.ts'
import { longestOf, quantileOf } from '../../../src/core/traffic/measures.ts'
import { readTraffic } from '../../../src/core/traffic/read-traffic.ts'
import { connectDatabase } from '../../../src/database/connect.ts'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type Harness, startHarness } from '../../support/dispatcher.ts'
import { eventually } from '../../support/eventually.ts'
import { addPartner, addTestKey } from '../../support/partner.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { paymentRequest } from '../../support/requests.ts'
import { misbehave } from '../../support/simulator.ts'
import { toldOf } from '../situation/told.ts'

// Real payments go their whole way, paid and not; what was counted of them is held against the rows themselves.

let harness: Harness
let test: TestCore
let receiver: CallbackReceiver
let other: { partnerId: bigint; apiKey: string }

beforeAll(async () => {
  const own = await createTestDatabase()
  harness = await startHarness(own.url)
  test = await startTestCore({ database: harness.database }, own)
  receiver = await openCallbackReceiver(test)
  other = await addPartner(test.database, { name: 'Soko' })
  harness.dispatch()
  // The loop of the core has begun to count.
  await eventually(async () => expect(await rowsOf('traffic_counted')).toHaveLength(1))
})
afterAll(async () => {
  await harness.stop()
  await receiver.close()
  await test.stop()
})

const rowsOf = async (table: string): Promise<unknown[]> =>
  (await sql`SELECT * FROM ${sql.table(table)}`.execute(test.database)).rows

const ask = (apiKey: string, count: number) =>
  Promise.all(
    Array.from({ length: count }, () =>
      test.clients.payments.requestPayment(paymentRequest({ callbackUrl: `${harness.receiver.url}/paid` }), {
        headers: { 'x-api-key': apiKey },
      }),
    ),
  )

const settled = (received: number) =>
  eventually(async () => {
    expect(harness.receiver.received).toHaveLength(received)
    expect(await rowsOf('to_deliver')).toEqual([])
  })

/** Resolves when no transaction of before is under way any more, in whatever database: it would hold the count up. */
const earlierOnesOver = async (): Promise<void> => {
  const { rows } = await sql<{ mine: string }>`SELECT pg_current_xact_id()::text AS mine`.execute(
    test.database,
  )
  await eventually(async () => {
    const { rows: found } = await sql<{ over: boolean }>`
      SELECT pg_snapshot_xmin(pg_current_snapshot()) > ${rows[0]?.mine ?? ''}::xid8 AS over
    `.execute(test.database)
    expect(found).toEqual([{ over: true }])
  })
}

/** Counts until nothing is left but what finished in the second that is not over. */
const count = async (database = test.database): Promise<void> => {
  await earlierOnesOver()
  await countNow(database)
}

/** The same of what can be counted just now; a round of the loop is waited for. */
const countNow = async (database = test.database): Promise<void> => {
  await sql`SELECT FROM traffic_counted FOR UPDATE`.execute(database)
  while (await countTraffic(database, { settledSeconds: 0 }));
}

/** Counts until as many outcomes of all are counted as were delivered. */
const countDelivered = () =>
  eventually(async () => {
    await count()
    const { rows } = await sql<{ delivered: number }>`
      SELECT count(*)::integer AS delivered FROM deliveries WHERE state = 'delivered' AND partner_id > 0
    `.execute(test.database)
    const { total } = await readTraffic(test.database, { hours: 1, partnerId: null })
    expect(total.delivered).toBe(rows[0]?.delivered)
  })

/** What the rows themselves say of a partner's. */
const countedByHand = async (partnerId: bigint) => {
  const { rows } = await sql<Record<string, number>>`
    SELECT (SELECT count(*)::integer FROM payments WHERE partner_id = ${partnerId}) AS accepted,
           (SELECT count(*)::integer FROM payment_history JOIN payments p ON p.id = payment_id
            WHERE partner_id = ${partnerId} AND to_state = 'submitted') AS prompted,
           (SELECT count(*)::integer FROM payments WHERE partner_id = ${partnerId} AND state = 'successful') AS paid,
           (SELECT count(*)::integer FROM payments WHERE partner_id = ${partnerId} AND state = 'failed') AS failed,
           (SELECT count(*)::integer FROM deliveries WHERE partner_id = ${partnerId} AND state = 'delivered') AS delivered
  `.execute(test.database)
  return rows[0]
}

it('counts what happened, of each partner and of all together, as the rows say; and again nothing twice', async () => {
  await ask(test.apiKey, 5)
  await settled(5)
  await misbehave(test.simulator, { 'wrong-pin': 1 })
  await ask(test.apiKey, 2)
  await ask(other.apiKey, 1)
  await settled(8)
  await misbehave(test.simulator, {})
  await ask(await addTestKey(test), 2)
  await settled(10)
  await countDelivered()
  await count()
  const [own, others, all] = await Promise.all(
    [test.partnerId, other.partnerId, null].map((partnerId) =>
      readTraffic(test.database, { hours: 1, partnerId }),
    ),
  )
  expect(own?.total).toMatchObject((await countedByHand(test.partnerId)) ?? {})
  expect(others?.total).toMatchObject((await countedByHand(other.partnerId)) ?? {})
  expect(own?.total).toMatchObject({ accepted: 7, prompted: 7, paid: 5, failed: 2, delivered: 7 })
  expect(all?.total).toMatchObject({
    accepted: 8,
    prompted: 8,
    paid: 5,
    failed: 3,
    delivered: 8,
    failedByCode: [{ code: '2001', count: 3 }],
  })
  expect(all?.points).toHaveLength(60)
  expect(all?.points.reduce((sum, { paid }) => sum + paid, 0)).toBe(5)
  expect(all?.total.p95Ms).toBeGreaterThan(0)
  expect(all?.total.p95Ms).toBeLessThan(120_000)
  for (const [hours, points, stepSeconds] of [
    [2, 120, 60],
    [24, 96, 900],
    [168, 168, 3_600],
  ] as const) {
    const long = await readTraffic(test.database, { hours, partnerId: null })
    expect(long).toMatchObject({ stepSeconds, total: { accepted: 8, paid: 5, failed: 3, delivered: 8 } })
    expect(long.points).toHaveLength(points)
  }
})

it('counts once when several do at once, and when one dies on the way', async () => {
  await ask(test.apiKey, 3)
  await settled(13)
  const { accepted, delivered } = (await countedByHand(test.partnerId)) ?? {}
  const dying = test.database.transaction().execute(async (transaction) => {
    await sql`SELECT FROM traffic_counted FOR UPDATE`.execute(transaction)
    await sql`INSERT INTO traffic_counts (partner_id, span, at, measure, count) VALUES (1, 'minute', now(), 'paid', 9)`.execute(
      transaction,
    )
    // Whoever comes meanwhile finds nothing to do.
    expect(await countTraffic(test.database, { settledSeconds: 0 })).toBe(false)
    throw new Error('killed')
  })
  await expect(dying).rejects.toThrow('killed')
  const replicas = Array.from({ length: 3 }, () => count())
  await Promise.all(replicas)
  await countDelivered()
  const { total } = await readTraffic(test.database, { hours: 1, partnerId: test.partnerId })
  expect(total).toMatchObject({ accepted, delivered, paid: 8 })
})

it('counts an event once that was committed late, below others that were counted', async () => {
  const late = connectDatabase({ databaseUrl: test.databaseUrl, poolSize: 1, log: quietLog })
  const before = await readTraffic(test.database, { hours: 1, partnerId: null })
  try {
    await late.transaction().execute(async (transaction) => {
      await sql`
        INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url)
        VALUES (${other.partnerId}, 1, 'failed', now(), '254712345678', 'https://shop.co.ke/paid')
      `.execute(transaction)
      await ask(test.apiKey, 1)
      await settled(14)
      await countNow()
    })
    await count()
  } finally {
    await late.destroy()
  }
  const after = await readTraffic(test.database, { hours: 1, partnerId: null })
  expect(after.total.accepted).toBe(before.total.accepted + 2)
})

it('no_callbacks_since: payers were prompted, and no callback has settled a payment since; gone with the next one', async () => {
  expect(await toldOf(test.database, 'no_callbacks_since')).toEqual([])
  const release = receiver.hold()
  await ask(test.apiKey, 6)
  await eventually(async () => expect(await rowsOf('to_query')).toHaveLength(6))
  // As if what was before had been an hour, and this ten minutes ago.
  await sql`UPDATE traffic_counts SET at = at - interval '1 hour'`.execute(test.database)
  await count()
  await sql`UPDATE traffic_counts SET at = at - interval '10 minutes' WHERE at > now() - interval '20 minutes'`.execute(
    test.database,
  )
  const [told] = await toldOf(test.database, 'no_callbacks_since')
  expect(told).toMatchObject({ severity: 'act', count: 6 })
  expect(told?.text).toMatch(
    /^No callback of Daraja has settled a payment since .* though 6 payers were prompted: /,
  )
  release()
  await eventually(async () => expect(await rowsOf('to_query')).toEqual([]))
  await count()
  expect(await toldOf(test.database, 'no_callbacks_since')).toEqual([])
})

it('traffic_late: nobody counts; gone when somebody does', async () => {
  expect(await toldOf(test.database, 'traffic_late')).toEqual([])
  await sql`UPDATE traffic_counted SET events_at = now() - interval '1 hour'`.execute(test.database)
  const [told] = await toldOf(test.database, 'traffic_late')
  expect(told).toMatchObject({ severity: 'look', command: 'gateway traffic' })
  expect(told?.text).toMatch(/^Traffic is counted up to .* UTC, 1 hour ago: does no gateway serve run/)
  await sql`SELECT pg_current_xact_id()`.execute(test.database)
  await count()
  expect(await toldOf(test.database, 'traffic_late')).toEqual([])
})

it('forgets minutes after two days, and keeps hours for longer', async () => {
  const at = sql`now() - interval '3 days'`
  for (const span of ['minute', 'hour'])
    await sql`INSERT INTO traffic_counts (partner_id, span, at, measure, count) VALUES (0, ${span}, ${at}, 'paid', 1)`.execute(
      test.database,
    )
  await forgetCounts(test.database)
  const { rows } = await sql`
    SELECT span FROM traffic_counts WHERE at < now() - interval '2 days'
  `.execute(test.database)
  expect(rows).toEqual([{ span: 'hour' }])
})

it('reads times in steps of a tenth', () => {
  expect(quantileOf(new Map(), 0.95)).toBeNull()
  const steps = new Map([
    [70, 1],
    [10, 94],
    [40, 5],
  ])
  expect(quantileOf(steps, 0.94)).toBe(longestOf(10))
  expect(quantileOf(steps, 0.95)).toBe(longestOf(40))
  expect(quantileOf(steps, 1)).toBe(longestOf(70))
  expect(longestOf(73) / longestOf(72)).toBeCloseTo(1.1, 2)
})
