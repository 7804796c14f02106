import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { type Claim, claimDeliveries, recordAttempts } from '../../../src/dispatcher/deliver/attempts.ts'
import type { PostResult } from '../../../src/dispatcher/deliver/post.ts'
import type { Verdict } from '../../../src/dispatcher/endpoints/breaker.ts'
import { holdDeliveries, rampStranded } from '../../../src/dispatcher/endpoints/hold-flood.ts'
import { recordOutcomes } from '../../../src/dispatcher/endpoints/record-outcomes.ts'
import { releaseDue } from '../../../src/dispatcher/endpoints/release.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type DatabaseClock, startDatabaseClock } from '../../support/database-clock.ts'
import { addDeliveries, readAttempts, readDelivery, readDuty } from '../../support/deliveries.ts'
import { quietLog } from '../../support/quiet-log.ts'

let database: Database
let clock: DatabaseClock
let cleanUp: () => Promise<void>

beforeAll(async () => {
  const { url, drop } = await createTestDatabase()
  clock = await startDatabaseClock(url)
  await clock.stop()
  database = connectDatabase({ databaseUrl: url, poolSize: 8, log: quietLog })
  cleanUp = async () => {
    await Promise.all([database.destroy(), clock.close()])
    await drop()
  }
})
afterAll(() => cleanUp())
beforeEach(() => sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(database))

const SHOP = { partner_id: 7n, host: 'shop.co.ke' }
const LONGEST_MS = 100_000

const add = (count: number): Promise<bigint[]> =>
  addDeliveries(
    database,
    Array.from({ length: count }, () => 'https://shop.co.ke/told'),
  )

/** What attempts of these deliveries, in this order, said of their endpoint. */
const note = (ids: readonly bigint[], verdict: Verdict) =>
  recordOutcomes({
    database,
    outcomes: ids.map((delivery_id) => ({ ...SHOP, delivery_id, payment_id: 1n, verdict })),
    longestMs: LONGEST_MS,
    random: () => 0,
  })

const readEndpoint = () =>
  database.selectFrom('endpoints').selectAll().where('host', '=', SHOP.host).executeTakeFirst()

const countHeld = async (): Promise<number> =>
  (await database.selectFrom('to_deliver').select('delivery_id').where('held_at', 'is not', null).execute())
    .length

/** Opens the endpoint, which then has nothing held. */
const open = async (): Promise<void> => {
  await note([1n, 2n, 3n, 4n, 5n], 'fails')
}

const pause = () =>
  sql`
    INSERT INTO endpoints (partner_id, host, paused_at, paused_by) VALUES (7, 'shop.co.ke', now(), 'wanjiku')
    ON CONFLICT (partner_id, host) DO UPDATE SET paused_at = now(), paused_by = 'wanjiku'
  `.execute(database)
const resume = () => sql`UPDATE endpoints SET paused_at = NULL, paused_by = NULL`.execute(database)

const failed: PostResult = {
  status: 500,
  errorClass: 'status',
  retryAfterMs: null,
  durationMs: 1,
  address: null,
  answer: null,
}

/** Records that the attempts failed, to be repeated at once, and notes it. */
const fail = async (claims: readonly Claim[]): Promise<void> => {
  await recordAttempts(
    database,
    claims.map((claim) => ({ claim, result: failed, plan: { kind: 'retry', delayMs: 0 } })),
  )
  await note(
    claims.map((claim) => claim.id),
    'fails',
  )
}

/** Time passes in steps as short as a dispatcher's; returns how many deliveries were let go in each second. */
const releasedIn = async (seconds: number): Promise<number[]> => {
  const released: number[] = []
  for (let second = 0; second < seconds; second += 1) {
    let count = 0
    for (let step = 0; step < 20; step += 1) {
      count += (await releaseDue(database)).freed.length
      await clock.advance(0.05)
    }
    released.push(count)
  }
  return released
}

describe('an endpoint that is well', () => {
  it('has no row, and gets none from successes', async () => {
    await note([1n, 2n, 3n], 'works')
    expect(await readEndpoint()).toBeUndefined()
  })

  it('is troubled from its first failure to its next success', async () => {
    expect(await note([1n], 'fails')).toMatchObject({ troubled: [SHOP], changes: [] })
    expect(await readEndpoint()).toMatchObject({ state: 'closed', failures: 1 })
    const [id = 0n] = await add(1)
    expect((await claimDeliveries(database, [id]))[0]).toMatchObject({ is_troubled: true })
    expect(await note([id], 'works')).toMatchObject({ troubled: [] })
    expect(await readEndpoint()).toBeUndefined()
  })

  it('opens after 5 failures in a row, reported once, however many dispatchers saw them', async () => {
    const noted = await Promise.all([1n, 2n, 3n, 4n, 5n, 6n, 7n].map((id) => note([id], 'fails')))
    expect(noted.flatMap(({ changes }) => changes)).toMatchObject([{ ...SHOP, to: 'open', openMs: 5_000 }])
    expect(await readEndpoint()).toMatchObject({ state: 'open', opens: 1 })
  })
})

describe('an endpoint that is open', () => {
  it('has what is due held, without an attempt, and nobody else’s', async () => {
    await open()
    const [id = 0n] = await add(1)
    const [other = 0n] = await addDeliveries(database, ['https://shop.co.ke/told'], 8n)
    const [another = 0n] = await addDeliveries(database, ['https://other.co.ke/told'])
    const claims = await claimDeliveries(database, [id, other, another])
    expect(claims.map((claim) => claim.id)).toEqual([other, another])
    expect(await readDelivery(database, id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect((await readDuty(database, id))?.held_at).not.toBeNull()
    expect(await readAttempts(database, id)).toEqual([])
  })

  it('lets one probe pass when its time is over, whichever dispatcher comes first', async () => {
    await open()
    const ids = await add(10)
    await claimDeliveries(database, ids)
    expect(await releaseDue(database)).toEqual({ freed: [], changes: [] })
    await clock.advance(6)
    const released = await Promise.all([1, 2, 3].map(() => releaseDue(database)))
    expect(released.flatMap(({ freed }) => freed)).toHaveLength(1)
    expect(released.flatMap(({ changes }) => changes)).toMatchObject([
      { ...SHOP, to: 'half_open', delivery_id: ids[0] },
    ])
    const fresh = await add(3)
    const claims = await claimDeliveries(database, [...ids, ...fresh])
    expect(claims.map((claim) => claim.id)).toEqual([ids[0]])
    expect(await countHeld()).toBe(12)
  })

  it('opens for longer when the probe fails', async () => {
    await open()
    const [id = 0n] = await add(2).then((ids) => claimDeliveries(database, ids).then(() => ids))
    await clock.advance(6)
    await releaseDue(database)
    await fail(await claimDeliveries(database, [id]))
    expect(await readEndpoint()).toMatchObject({ state: 'open', opens: 2 })
    await clock.advance(9)
    expect((await releaseDue(database)).freed).toEqual([])
    await clock.advance(2)
    expect((await releaseDue(database)).freed).toHaveLength(1)
  })

  it('probes again when whoever had the probe is gone', async () => {
    await open()
    const ids = await add(2)
    await claimDeliveries(database, ids)
    await clock.advance(6)
    const [first] = (await releaseDue(database)).freed
    await claimDeliveries(database, [first?.delivery_id ?? 0n])
    await clock.advance(70)
    const [second] = (await releaseDue(database)).freed
    expect(new Set([first?.delivery_id, second?.delivery_id])).toEqual(new Set(ids))
    // The lease of the first has run out too: its attempt would be a second probe.
    expect(await claimDeliveries(database, ids)).toMatchObject([{ id: second?.delivery_id }])
  })

  it('is closed when there is nothing to ask it with, and opens at the next failure, for longer', async () => {
    await open()
    await clock.advance(6)
    expect((await releaseDue(database)).changes).toMatchObject([{ to: 'untried', cause: 'none_held' }])
    const ids = await add(1)
    await fail(await claimDeliveries(database, ids))
    expect(await readEndpoint()).toMatchObject({ state: 'open', opens: 2 })
  })

  it('that was closed untried is well with the next success, and says so', async () => {
    await open()
    await clock.advance(6)
    await releaseDue(database)
    expect(await note([9n], 'works')).toMatchObject({ changes: [{ to: 'closed', cause: 'success' }] })
    expect(await readEndpoint()).toBeUndefined()
  })

  it('lets nothing go before its next attempt is due', async () => {
    await open()
    const [id = 0n] = await add(1)
    await sql`UPDATE to_deliver SET held_at = now(), due_at = now() + interval '60 seconds'`.execute(database)
    await clock.advance(6)
    expect((await releaseDue(database)).freed).toEqual([])
    await rampStranded(database)
    await clock.advance(30)
    expect((await releaseDue(database)).freed).toEqual([])
    await clock.advance(30)
    expect((await releaseDue(database)).freed).toMatchObject([{ delivery_id: id }])
  })
})

describe('an endpoint that is back', () => {
  /** Has `count` deliveries held, and the probe arrive. */
  const comeBack = async (count: number): Promise<void> => {
    await open()
    const ids = await add(count + 1)
    await sql`UPDATE to_deliver SET due_at = due_at - make_interval(secs => delivery_id % 1000)`.execute(
      database,
    )
    await claimDeliveries(database, ids)
    await clock.advance(6)
    const [probe] = (await releaseDue(database)).freed
    expect(await note([probe?.delivery_id ?? 0n], 'works')).toMatchObject({ changes: [{ to: 'ramping' }] })
    await sql`DELETE FROM to_deliver WHERE held_at IS NULL`.execute(database)
  }

  it('gets what was held at a rate that doubles each second, the longest due first, and is well', async () => {
    await comeBack(100)
    const released = await releasedIn(8)
    expect(released).toEqual([1, 2, 4, 8, 16, 32, 37, 0])
    const { rows } = await sql<{ due_at: Date }>`
      SELECT due_at FROM to_deliver WHERE held_at IS NULL ORDER BY publish_at, due_at
    `.execute(database)
    const dueAt = rows.map((row) => row.due_at.getTime())
    expect(dueAt).toEqual(dueAt.toSorted((one, other) => one - other))
    expect(await readEndpoint()).toBeUndefined()
  })

  it('passes fresh deliveries meanwhile', async () => {
    await comeBack(100)
    const ids = await add(3)
    expect(await claimDeliveries(database, ids)).toHaveLength(3)
  })

  it('gets fewer a second after each failure, and none after 5', async () => {
    await comeBack(100)
    await releasedIn(4)
    const before = (await readEndpoint())?.release_per_second ?? 0
    await note([1n], 'fails')
    expect((await readEndpoint())?.release_per_second).toBe(before / 2)
    await note([1n, 1n, 1n, 1n], 'fails')
    expect(await readEndpoint()).toMatchObject({ state: 'open', opens: 2 })
    expect(await releasedIn(2)).toEqual([0, 0])
  })
})

describe('what floods in', () => {
  it('is held, reported once, and released at a growing rate until none is left', async () => {
    const ids = await add(200)
    expect(await holdDeliveries(database, ids.slice(0, 100))).toEqual([SHOP])
    await clock.advance(0.1)
    expect(await holdDeliveries(database, ids.slice(100))).toEqual([])
    expect(await countHeld()).toBe(200)
    expect(await claimDeliveries(database, ids)).toEqual([])
    expect(sum(await releasedIn(4))).toBe(200)
    expect(await countHeld()).toBe(0)
    expect(await readEndpoint()).toBeUndefined()
  })

  it('again is let go at half the rate', async () => {
    const ids = await add(300)
    await holdDeliveries(database, ids.slice(0, 250))
    await releasedIn(1)
    await clock.advance(1)
    const before = (await readEndpoint())?.release_per_second ?? 0
    await holdDeliveries(database, ids.slice(250))
    expect((await readEndpoint())?.release_per_second).toBe(before / 2)
  })

  it('leaves alone what another has, and what is not due', async () => {
    const [leased = 0n, later = 0n] = await add(2)
    await claimDeliveries(database, [leased])
    await sql`UPDATE to_deliver SET due_at = now() + interval '1 hour' WHERE delivery_id = ${later}`.execute(
      database,
    )
    expect(await holdDeliveries(database, [leased, later])).toEqual([])
    expect(await countHeld()).toBe(0)
  })
})

describe('what is held', () => {
  it('for an endpoint that is down dies when the schedule’s whole length has passed, among the dead letters', async () => {
    await open()
    const ids = await add(3)
    await claimDeliveries(database, ids)
    await clock.advance(LONGEST_MS / 1_000 + 1)
    const [probe] = (await releaseDue(database)).freed
    expect(await readDelivery(database, ids[2] ?? 0n)).toMatchObject({ state: 'pending' })
    const { expired } = await note([probe?.delivery_id ?? 0n], 'fails')
    const reason = 'the endpoint was down until the schedule’s whole length had passed'
    expect(expired.map(({ id }) => id)).toEqual(ids.slice(1))
    expect(await readDelivery(database, ids[2] ?? 0n)).toMatchObject({
      state: 'dead',
      attempts: 0,
      next_attempt_at: null,
      dead_reason: reason,
    })
    expect(await database.selectFrom('dead_letters').select(['delivery_id', 'reason']).execute()).toEqual(
      ids.slice(1).map((id) => ({ delivery_id: id, reason })),
    )
    expect(await readDuty(database, ids[2] ?? 0n)).toBeUndefined()
  })

  it('for an endpoint that is paused neither goes nor dies, whatever time passes, and is let go once it is resumed', async () => {
    await pause()
    const ids = await add(3)
    expect(await claimDeliveries(database, ids)).toEqual([])
    expect(await countHeld()).toBe(3)
    await clock.advance((10 * LONGEST_MS) / 1_000)
    await rampStranded(database)
    expect(await releaseDue(database)).toEqual({ freed: [], changes: [] })
    await open()
    expect(await countHeld()).toBe(3)
    await resume()
    await sql`UPDATE endpoints SET state = 'closed', failures = 0`.execute(database)
    expect(await rampStranded(database)).toEqual([SHOP])
    expect(sum(await releasedIn(3))).toBe(3)
    expect(await claimDeliveries(database, ids)).toHaveLength(3)
  })

  it('without need is found, also where the endpoint is forgotten, and in the midst of others', async () => {
    const ids = await add(2)
    const others = await addDeliveries(database, ['https://a.co.ke/', 'https://b.co.ke/'], 8n)
    await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ANY(${[...ids, ...others]}::bigint[])`.execute(
      database,
    )
    await pause()
    expect(await rampStranded(database)).toEqual([
      { partner_id: 8n, host: 'a.co.ke' },
      { partner_id: 8n, host: 'b.co.ke' },
    ])
    await resume()
    expect(await rampStranded(database)).toEqual([SHOP])
    expect(await rampStranded(database)).toEqual([])
  })
})

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
