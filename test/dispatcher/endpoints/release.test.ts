import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claimDeliveries } from '../../../src/dispatcher/deliver/attempts.ts'
import { holdDeliveries, rampStranded } from '../../../src/dispatcher/endpoints/hold-flood.ts'
import { releaseDue } from '../../../src/dispatcher/endpoints/release.ts'
import { addDeliveries, readDelivery, readDuty } from '../../support/deliveries.ts'
import { type EndpointStage, LONGEST_MS, openEndpointStage, SHOP } from './endpoint-stage.ts'

let test: EndpointStage
beforeAll(async () => {
  test = await openEndpointStage()
})
afterAll(() => test.close())
beforeEach(() => test.clear())

describe('an endpoint that is back', () => {
  /** Has `count` deliveries held, and the probe arrive. */
  const comeBack = async (count: number): Promise<void> => {
    await test.open()
    const ids = await test.add(count + 1)
    await sql`UPDATE to_deliver SET due_at = due_at - make_interval(secs => delivery_id % 1000)`.execute(
      test.database,
    )
    await claimDeliveries(test.database, ids)
    await test.clock.advance(6)
    const [probe] = (await releaseDue(test.database)).freed
    expect(await test.note([probe?.delivery_id ?? 0n], 'works')).toMatchObject({
      changes: [{ to: 'ramping' }],
    })
    await sql`DELETE FROM to_deliver WHERE held_at IS NULL`.execute(test.database)
  }

  it('gets what was held at a rate that doubles each second, the longest due first, and is well', async () => {
    await comeBack(100)
    const released = await test.releasedIn(8)
    expect(released).toEqual([1, 2, 4, 8, 16, 32, 37, 0])
    const { rows } = await sql<{ due_at: Date }>`
      SELECT due_at FROM to_deliver WHERE held_at IS NULL ORDER BY publish_at, due_at
    `.execute(test.database)
    const dueAt = rows.map((row) => row.due_at.getTime())
    expect(dueAt).toEqual(dueAt.toSorted((one, other) => one - other))
    expect(await test.readEndpoint()).toBeUndefined()
  })

  it('passes fresh deliveries meanwhile', async () => {
    await comeBack(100)
    const ids = await test.add(3)
    expect(await claimDeliveries(test.database, ids)).toHaveLength(3)
  })

  it('gets fewer a second after each failure, and none after 5', async () => {
    await comeBack(100)
    await test.releasedIn(4)
    const before = (await test.readEndpoint())?.release_per_second ?? 0
    await test.note([1n], 'fails')
    expect((await test.readEndpoint())?.release_per_second).toBe(before / 2)
    await test.note([1n, 1n, 1n, 1n], 'fails')
    expect(await test.readEndpoint()).toMatchObject({ state: 'open', opens: 2 })
    expect(await test.releasedIn(2)).toEqual([0, 0])
  })
})

describe('what floods in', () => {
  it('is held, reported once, and released at a growing rate until none is left', async () => {
    const ids = await test.add(200)
    expect(await holdDeliveries(test.database, ids.slice(0, 100))).toEqual([SHOP])
    await test.clock.advance(0.1)
    expect(await holdDeliveries(test.database, ids.slice(100))).toEqual([])
    expect(await test.countHeld()).toBe(200)
    expect(await claimDeliveries(test.database, ids)).toEqual([])
    expect(sum(await test.releasedIn(4))).toBe(200)
    expect(await test.countHeld()).toBe(0)
    expect(await test.readEndpoint()).toBeUndefined()
  })

  it('again is let go at half the rate', async () => {
    const ids = await test.add(300)
    await holdDeliveries(test.database, ids.slice(0, 250))
    await test.releasedIn(1)
    await test.clock.advance(1)
    const before = (await test.readEndpoint())?.release_per_second ?? 0
    await holdDeliveries(test.database, ids.slice(250))
    expect((await test.readEndpoint())?.release_per_second).toBe(before / 2)
  })

  it('leaves alone what another has, and what is not due', async () => {
    const [leased = 0n, later = 0n] = await test.add(2)
    await claimDeliveries(test.database, [leased])
    await sql`UPDATE to_deliver SET due_at = now() + interval '1 hour' WHERE delivery_id = ${later}`.execute(
      test.database,
    )
    expect(await holdDeliveries(test.database, [leased, later])).toEqual([])
    expect(await test.countHeld()).toBe(0)
  })
})

describe('what is held', () => {
  it('for an endpoint that is down dies when the schedule’s whole length has passed, among the dead letters', async () => {
    await test.open()
    const ids = await test.add(3)
    await claimDeliveries(test.database, ids)
    await test.clock.advance(LONGEST_MS / 1_000 + 1)
    const [probe] = (await releaseDue(test.database)).freed
    expect(await readDelivery(test.database, ids[2] ?? 0n)).toMatchObject({ state: 'pending' })
    const { expired } = await test.note([probe?.delivery_id ?? 0n], 'fails')
    const reason = 'the endpoint was down until the schedule’s whole length had passed'
    expect(expired.map(({ id }) => id)).toEqual(ids.slice(1))
    expect(await readDelivery(test.database, ids[2] ?? 0n)).toMatchObject({
      state: 'dead',
      attempts: 0,
      next_attempt_at: null,
      dead_reason: reason,
    })
    expect(
      await test.database.selectFrom('dead_letters').select(['delivery_id', 'reason']).execute(),
    ).toEqual(ids.slice(1).map((id) => ({ delivery_id: id, reason })))
    expect(await readDuty(test.database, ids[2] ?? 0n)).toBeUndefined()
  })

  it('for an endpoint that is paused neither goes nor dies, whatever time passes, and is let go once it is resumed', async () => {
    await test.pause()
    const ids = await test.add(3)
    expect(await claimDeliveries(test.database, ids)).toEqual([])
    expect(await test.countHeld()).toBe(3)
    await test.clock.advance((10 * LONGEST_MS) / 1_000)
    await rampStranded(test.database)
    expect(await releaseDue(test.database)).toMatchObject({ freed: [], changes: [] })
    await test.open()
    expect(await test.countHeld()).toBe(3)
    await test.resume()
    await sql`UPDATE endpoints SET state = 'closed', failures = 0`.execute(test.database)
    expect(await rampStranded(test.database)).toEqual([SHOP])
    expect(sum(await test.releasedIn(3))).toBe(3)
    expect(await claimDeliveries(test.database, ids)).toHaveLength(3)
  })

  it('until later, for an endpoint that nothing could be tried with, waits for that, and the first tries it alone', async () => {
    await test.open()
    const ids = await test.add(20)
    await sql`
      UPDATE to_deliver SET held_at = now(), due_at = now() + interval '30 seconds'
      WHERE delivery_id = ANY(${ids}::bigint[])
    `.execute(test.database)
    await test.clock.advance(6)
    expect((await releaseDue(test.database)).changes).toMatchObject([{ to: 'untried' }])
    for (let second = 0; second < 20; second += 1) {
      expect(await rampStranded(test.database)).toEqual([])
      await test.clock.advance(1)
      expect(await releaseDue(test.database)).toMatchObject({ freed: [] })
    }
    await test.clock.advance(10)
    expect(await rampStranded(test.database)).toEqual([SHOP])
    const { freed } = await releaseDue(test.database)
    expect(freed).toHaveLength(1)
    await test.note([freed[0]?.delivery_id ?? 0n], 'fails')
    await test.clock.advance(1)
    expect(await releaseDue(test.database)).toMatchObject({ freed: [] })
    expect(await test.countHeld()).toBe(19)
  })

  it('without need is found, also where the endpoint is forgotten, and in the midst of others', async () => {
    const ids = await test.add(2)
    const others = await addDeliveries(test.database, ['https://a.co.ke/', 'https://b.co.ke/'], 8n)
    await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ANY(${[...ids, ...others]}::bigint[])`.execute(
      test.database,
    )
    await test.pause()
    expect(await rampStranded(test.database)).toEqual([
      { partner_id: 8n, host: 'a.co.ke' },
      { partner_id: 8n, host: 'b.co.ke' },
    ])
    await test.resume()
    expect(await rampStranded(test.database)).toEqual([SHOP])
    expect(await rampStranded(test.database)).toEqual([])
  })
})

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
