import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { retryDeliveries } from '../../../src/core/deliveries/retry.ts'
import type { Database } from '../../../src/database/connect.ts'
import { FROM_BEGINNING } from '../../../src/database/look-back.ts'
import { type Claim, claimDeliveries, recordAttempts } from '../../../src/dispatcher/deliver/attempts.ts'
import type { Plan } from '../../../src/dispatcher/deliver/plan.ts'
import type { PostResult } from '../../../src/dispatcher/deliver/post.ts'
import { findOverdue } from '../../../src/dispatcher/deliver/recover.ts'
import { testActor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries, addDelivery, readAttempts, readDelivery, readDuty } from '../../support/deliveries.ts'

let own: OpenDatabase
let database: Database

beforeAll(async () => {
  own = await openTestDatabase({ poolSize: 8 })
  database = own.database
})
afterAll(() => own.close())
beforeEach(() => sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(database))

const URLS = Array.from({ length: 200 }, () => 'https://shop.co.ke/')

const succeeded: PostResult = {
  status: 200,
  errorClass: null,
  retryAfterMs: null,
  durationMs: 12,
  address: '203.0.113.9',
  answer: 'it\'s "ok", {a,b} \\ ä',
}
const failed: PostResult = { ...succeeded, status: 503, errorClass: 'status' }
const RETRY: Plan = { kind: 'retry', delayMs: 90_000 }
const DELIVERED: Plan = { kind: 'delivered' }

const claimOne = async (id: bigint): Promise<Claim> => {
  const [claim] = await claimDeliveries(database, [id])
  if (!claim) throw new Error('not claimed')
  return claim
}

/** As if the claim's dispatcher had died a minute ago. */
const endLease = (id: bigint) =>
  sql`UPDATE to_deliver SET leased_until = now() - interval '1 second' WHERE delivery_id = ${id}`.execute(
    database,
  )

describe('a claim', () => {
  it('writes the attempt down as started and leases the delivery for a minute', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/a?b')
    const claim = await claimOne(id)
    expect(claim).toMatchObject({
      id,
      partner_id: 7n,
      callback_url: 'https://shop.co.ke/a?b',
      attempts: 1,
      is_after_lost: false,
    })
    const [attempt] = await readAttempts(database, id)
    expect(attempt).toMatchObject({
      number: 1,
      started_at: claim.started_at,
      finished_at: null,
      status: null,
    })
    const { rows } = await sql<{ seconds: number }>`
      SELECT extract(epoch FROM leased_until - now())::float8 AS seconds FROM to_deliver
    `.execute(database)
    expect(rows[0]?.seconds).toBeGreaterThan(50)
    expect(rows[0]?.seconds).toBeLessThanOrEqual(60)
  })

  it('is refused for what is gone, not due or leased by another', async () => {
    const [notDue = 0n, leased = 0n, free = 0n] = await addDeliveries(database, URLS.slice(0, 3))
    await sql`UPDATE to_deliver SET due_at = now() + interval '1 second' WHERE delivery_id = ${notDue}`.execute(
      database,
    )
    await claimOne(leased)
    const claims = await claimDeliveries(database, [notDue, leased, free, 999_999n])
    expect(claims.map((claim) => claim.id)).toEqual([free])
  })

  it('is given to one of many who ask at once', async () => {
    const ids = await addDeliveries(database, URLS)
    const claims = await Promise.all([1, 2, 3, 4, 5].map(() => claimDeliveries(database, ids)))
    const claimed = claims.flat().map((claim) => claim.id)
    expect(new Set(claimed).size).toBe(claimed.length)
    expect(claimed).toHaveLength(ids.length)
    expect(claims.flat().every((claim) => claim.attempts === 1)).toBe(true)
  })

  it('after a lease that ran out says so, and counts on', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    await claimOne(id)
    await endLease(id)
    expect(await claimOne(id)).toMatchObject({ attempts: 2, is_after_lost: true })
  })
})

describe('what the queue did not deliver', () => {
  it('is found when it is overdue, the longest due first, and no more than asked for', async () => {
    const [first = 0n, second = 0n, third = 0n] = await addDeliveries(database, URLS.slice(0, 3))
    const makeOverdue = (id: bigint, seconds: number) =>
      sql`UPDATE to_deliver SET due_at = now() - make_interval(secs => ${seconds}) WHERE delivery_id = ${id}`.execute(
        database,
      )
    await makeOverdue(second, 60)
    await makeOverdue(third, 30)
    const find = (limit: number, overdueMs = 20_000, except: bigint[] = []) =>
      findOverdue(database, { limit, overdueMs, except, look: FROM_BEGINNING })
    const ids = async (found: ReturnType<typeof find>) => (await found).map((one) => one.delivery_id)
    expect(await find(1)).toEqual([{ delivery_id: second, partner_id: 7n, host: 'shop.co.ke' }])
    expect(await ids(find(5))).toEqual([second, third])
    expect(await ids(find(5, 0))).toEqual([second, third, first])
    expect(await ids(find(5, 0, [second, first]))).toEqual([third])
  })

  it('is not found while it is held, leased or not due', async () => {
    const [held = 0n, leased = 0n, later = 0n] = await addDeliveries(database, URLS.slice(0, 3))
    await claimOne(leased)
    await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ${held}`.execute(database)
    await sql`UPDATE to_deliver SET due_at = now() + interval '1 hour' WHERE delivery_id = ${later}`.execute(
      database,
    )
    expect(await findOverdue(database, { limit: 9, overdueMs: 0, except: [], look: FROM_BEGINNING })).toEqual(
      [],
    )
  })
})

describe('a record', () => {
  it('of a success ends the delivery and its duty', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const claim = await claimOne(id)
    expect(await recordAttempts(database, [{ claim, result: succeeded, plan: DELIVERED }])).toEqual([
      { isCurrent: true, nextAttemptAt: null },
    ])
    expect((await readAttempts(database, id))[0]).toMatchObject({
      status: 200,
      duration_ms: 12,
      address: '203.0.113.9',
      error_class: null,
      answer: succeeded.answer,
    })
    expect(await readDelivery(database, id)).toMatchObject({ state: 'delivered', next_attempt_at: null })
    expect(await readDuty(database, id)).toBeUndefined()
  })

  it('of a failure moves the duty to the next time, free and to be published then', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const claim = await claimOne(id)
    const [recorded] = await recordAttempts(database, [{ claim, result: failed, plan: RETRY }])
    const delivery = await readDelivery(database, id)
    expect(recorded).toEqual({ isCurrent: true, nextAttemptAt: delivery.next_attempt_at })
    expect(delivery).toMatchObject({ state: 'pending', attempts: 1, ended_at: null })
    const { rows } = await sql`
      SELECT due_at = next_attempt_at AS due_agrees, publish_at = due_at AS publish_agrees,
             leased_until = '-infinity' AS is_free, due_at - finished_at = interval '90 seconds' AS waits
      FROM to_deliver JOIN attempts USING (delivery_id) JOIN deliveries ON id = delivery_id
    `.execute(database)
    expect(rows).toEqual([{ due_agrees: true, publish_agrees: true, is_free: true, waits: true }])
    await sql`UPDATE to_deliver SET due_at = now()`.execute(database)
    expect(await claimOne(id)).toMatchObject({ attempts: 2, is_after_lost: false })
  })

  it('of a death keeps the reason, and puts it among the dead letters', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const claim = await claimOne(id)
    await recordAttempts(database, [{ claim, result: failed, plan: { kind: 'dead', reason: 'gone' } }])
    expect(await readDelivery(database, id)).toMatchObject({ state: 'dead', dead_reason: 'gone' })
    expect(await readDuty(database, id)).toBeUndefined()
    expect(await database.selectFrom('dead_letters').selectAll().execute()).toEqual([
      {
        delivery_id: id,
        partner_id: 7n,
        host: 'shop.co.ke',
        error_class: 'status',
        reason: 'gone',
        at: (await readDelivery(database, id)).ended_at,
        told_at: null,
      },
    ])
  })

  it('that comes after another attempt was claimed finishes its own attempt, and decides nothing', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const late = await claimOne(id)
    await endLease(id)
    const current = await claimOne(id)
    const before = [await readDelivery(database, id), await readDuty(database, id)]
    expect(await recordAttempts(database, [{ claim: late, result: failed, plan: RETRY }])).toEqual([
      { isCurrent: false, nextAttemptAt: null },
    ])
    expect([await readDelivery(database, id), await readDuty(database, id)]).toEqual(before)
    const both = await recordAttempts(database, [
      { claim: current, result: succeeded, plan: DELIVERED },
      { claim: late, result: failed, plan: RETRY },
    ])
    expect(both.map((one) => one.isCurrent)).toEqual([true, false])
    expect(await readDelivery(database, id)).toMatchObject({ state: 'delivered' })
    expect((await readAttempts(database, id)).map((one) => one.status)).toEqual([503, 200])
  })

  it('changes nothing when it is repeated after its commit', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const claim = await claimOne(id)
    await recordAttempts(database, [{ claim, result: succeeded, plan: DELIVERED }])
    const before = [await readDelivery(database, id), await readAttempts(database, id)]
    const [again] = await recordAttempts(database, [{ claim, result: failed, plan: RETRY }])
    expect(again).toEqual({ isCurrent: false, nextAttemptAt: null })
    expect([await readDelivery(database, id), await readAttempts(database, id)]).toEqual(before)
  })

  it.each<[string, PostResult, Plan]>([
    ['a success', succeeded, DELIVERED],
    ['a death', failed, { kind: 'dead', reason: 'gone' }],
  ])(
    'of %s that is repeated, for its answer was lost, says what the first one did',
    async (_of, result, plan) => {
      const id = await addDelivery(database, 'https://shop.co.ke/')
      const claim = await claimOne(id)
      const first = await recordAttempts(database, [{ claim, result, plan }])
      const before = [await readDelivery(database, id), await readAttempts(database, id)]
      expect(await recordAttempts(database, [{ claim, result, plan }])).toEqual(first)
      expect([await readDelivery(database, id), await readAttempts(database, id)]).toEqual(before)
    },
  )

  it.each<[string, PostResult, Plan]>([
    ['a success', succeeded, DELIVERED],
    ['a death', failed, { kind: 'dead', reason: 'gone' }],
  ])(
    'of %s that is repeated, for its answer was lost, leaves what an operator has sent again since',
    async (_of, result, plan) => {
      const id = await addDelivery(database, 'https://shop.co.ke/')
      const claim = await claimOne(id)
      await recordAttempts(database, [{ claim, result, plan }])
      const again = { ids: [id], sendDeliveredAgain: true, delaySeconds: 0, spacingSeconds: 0 }
      expect(await retryDeliveries({ database, actor: testActor, ...again })).toMatchObject([
        { outcome: 'retried' },
      ])
      const before = [await readDelivery(database, id), await readDuty(database, id)]
      expect(await recordAttempts(database, [{ claim, result, plan }])).toEqual([
        { isCurrent: false, nextAttemptAt: null },
      ])
      expect([await readDelivery(database, id), await readDuty(database, id)]).toEqual(before)
      expect(await claimOne(id)).toMatchObject({ attempts: 2 })
    },
  )

  it('of a failure that is repeated, for its answer was lost, says what the first one did, and moves nothing', async () => {
    const id = await addDelivery(database, 'https://shop.co.ke/')
    const claim = await claimOne(id)
    const first = await recordAttempts(database, [{ claim, result: failed, plan: RETRY }])
    const before = [await readDelivery(database, id), await readDuty(database, id)]
    expect(await recordAttempts(database, [{ claim, result: failed, plan: RETRY }])).toEqual(first)
    expect([await readDelivery(database, id), await readDuty(database, id)]).toEqual(before)
  })

  it('takes many at once, each its own outcome', async () => {
    const ids = await addDeliveries(database, URLS)
    const claims = await claimDeliveries(database, ids)
    const recorded = await recordAttempts(
      database,
      claims.map((claim, index) => ({
        claim,
        result: index % 2 === 0 ? succeeded : failed,
        plan: index % 2 === 0 ? DELIVERED : RETRY,
      })),
    )
    expect(recorded.map((one) => one.nextAttemptAt === null)).toEqual(
      claims.map((_one, index) => index % 2 === 0),
    )
    const { rows } = await sql`SELECT count(*)::int AS open FROM to_deliver`.execute(database)
    expect(rows).toEqual([{ open: 100 }])
  })

  it('beside claims of the same deliveries never ends in a deadlock', async () => {
    const ids = await addDeliveries(database, URLS)
    const claims = await claimDeliveries(database, ids)
    await sql`UPDATE to_deliver SET leased_until = now()`.execute(database)
    await Promise.all([
      recordAttempts(
        database,
        claims.toReversed().map((claim) => ({ claim, result: failed, plan: RETRY })),
      ),
      claimDeliveries(database, ids),
      claimDeliveries(database, ids.toReversed()),
      recordAttempts(
        database,
        claims.map((claim) => ({ claim, result: failed, plan: RETRY })),
      ),
    ])
    const { rows } = await sql`
      SELECT count(*)::int AS wrong FROM deliveries
      WHERE attempts <> (SELECT count(*) FROM attempts WHERE delivery_id = id)
    `.execute(database)
    expect(rows).toEqual([{ wrong: 0 }])
  })
})
