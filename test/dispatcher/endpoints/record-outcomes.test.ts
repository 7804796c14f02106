import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Claim, claimDeliveries } from '../../../src/dispatcher/deliver/attempts.ts'
import { rampStranded } from '../../../src/dispatcher/endpoints/hold-flood.ts'
import { createOutcomeRecorder } from '../../../src/dispatcher/endpoints/record-outcomes.ts'
import { releaseDue } from '../../../src/dispatcher/endpoints/release.ts'
import type { ErrorClass } from '../../../src/values/error-class.ts'
import { addDeliveries, readAttempts, readDelivery, readDuty } from '../../support/deliveries.ts'
import { type EndpointStage, openEndpointStage, SHOP } from './endpoint-stage.ts'

let test: EndpointStage
beforeAll(async () => {
  test = await openEndpointStage()
})
afterAll(() => test.close())
beforeEach(() => test.clear())

describe('an endpoint that is well', () => {
  it('has no row, and gets none from successes', async () => {
    await test.note([1n, 2n, 3n], 'works')
    expect(await test.readEndpoint()).toBeUndefined()
  })

  it('is troubled from its first failure to its next success', async () => {
    expect(await test.note([1n], 'fails')).toMatchObject({ troubled: [SHOP], changes: [] })
    expect(await test.readEndpoint()).toMatchObject({ state: 'closed', failures: 1 })
    const [id = 0n] = await test.add(1)
    expect((await claimDeliveries(test.database, [id]))[0]).toMatchObject({ is_troubled: true })
    expect(await test.note([id], 'works')).toMatchObject({ troubled: [] })
    expect(await test.readEndpoint()).toBeUndefined()
  })

  it('opens after 5 failures in a row, reported once, however many dispatchers saw them', async () => {
    const noted = await Promise.all([1n, 2n, 3n, 4n, 5n, 6n, 7n].map((id) => test.note([id], 'fails')))
    expect(noted.flatMap(({ changes }) => changes)).toMatchObject([{ ...SHOP, to: 'open', openMs: 5_000 }])
    expect(await test.readEndpoint()).toMatchObject({ state: 'open', opens: 1 })
  })
})

describe('what a process knows of troubled endpoints', () => {
  it('is of the newest only, so that hosts that are used once do not fill its memory', async () => {
    const recorder = createOutcomeRecorder({
      database: test.database,
      retryUntilStopped: (work) => work(),
      scheduleMs: [0],
      random: () => 0,
      reporter: { attempted: () => undefined, expired: () => undefined, endpointChanged: () => undefined },
      mostTroubled: 2,
    })
    const hosts = ['first.example', 'second.example', 'third.example']
    const urls = hosts.map((host) => `https://${host}/callback`)
    const record = (claim: Claim, result: { status: number; errorClass: ErrorClass | null }): Promise<void> =>
      recorder.record(claim, { ...result, retryAfterMs: null, durationMs: 1, address: null, answer: null })
    // Claimed before the failures are recorded: no claim says that its endpoint is troubled.
    const failing = await claimDeliveries(test.database, await addDeliveries(test.database, urls))
    const succeeding = await claimDeliveries(test.database, await addDeliveries(test.database, urls))
    for (const claim of failing) await record(claim, { status: 500, errorClass: 'status' })
    for (const claim of succeeding) await record(claim, { status: 200, errorClass: null })

    const left = await test.database.selectFrom('endpoints').select('host').execute()
    expect(left).toEqual([{ host: 'first.example' }])
  })
})

describe('a record that is repeated', () => {
  it.each([3, 5])('for its answer was lost, counts %i failures once, and says what it did', async (count) => {
    const record = test.recording([1n, 2n, 3n, 4n, 5n].slice(0, count), 'fails')
    const first = await record()
    expect(first.changes).toHaveLength(count === 5 ? 1 : 0)
    const before = await test.readEndpoint()
    expect(await record()).toEqual(first)
    expect(await test.readEndpoint()).toEqual(before)
  })

  it('for its commit failed, counts', async () => {
    const record = test.recording([1n, 2n], 'fails')
    await sql`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$
    `.execute(test.database)
    await sql`
      CREATE CONSTRAINT TRIGGER refused AFTER UPDATE ON endpoints DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION refuse()
    `.execute(test.database)
    await expect(record()).rejects.toThrow('refused')
    await sql`DROP FUNCTION refuse CASCADE`.execute(test.database)
    expect(await test.readEndpoint()).toBeUndefined()
    await record()
    expect(await test.readEndpoint()).toMatchObject({ failures: 2 })
  })
})

describe('an endpoint that is open', () => {
  it('has what is due held, without an attempt, and nobody else’s', async () => {
    await test.open()
    const [id = 0n] = await test.add(1)
    const [other = 0n] = await addDeliveries(test.database, ['https://shop.co.ke/callback'], 8n)
    const [another = 0n] = await addDeliveries(test.database, ['https://other.co.ke/callback'])
    const claims = await claimDeliveries(test.database, [id, other, another])
    expect(claims.map((claim) => claim.id)).toEqual([other, another])
    expect(await readDelivery(test.database, id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect((await readDuty(test.database, id))?.held_at).not.toBeNull()
    expect(await readAttempts(test.database, id)).toEqual([])
  })

  it('lets one probe pass when its time is over, whichever dispatcher comes first', async () => {
    await test.open()
    const ids = await test.add(10)
    await claimDeliveries(test.database, ids)
    expect(await releaseDue(test.database)).toMatchObject({ freed: [], changes: [] })
    await test.clock.advance(6)
    const released = await Promise.all([1, 2, 3].map(() => releaseDue(test.database)))
    expect(released.flatMap(({ freed }) => freed)).toHaveLength(1)
    expect(released.flatMap(({ changes }) => changes)).toMatchObject([
      { ...SHOP, to: 'half_open', delivery_id: ids[0] },
    ])
    const fresh = await test.add(3)
    const claims = await claimDeliveries(test.database, [...ids, ...fresh])
    expect(claims.map((claim) => claim.id)).toEqual([ids[0]])
    expect(await test.countHeld()).toBe(12)
  })

  it('opens for longer when the probe fails', async () => {
    await test.open()
    const [id = 0n] = await test.add(2).then((ids) => claimDeliveries(test.database, ids).then(() => ids))
    await test.clock.advance(6)
    await releaseDue(test.database)
    await test.fail(await claimDeliveries(test.database, [id]))
    expect(await test.readEndpoint()).toMatchObject({ state: 'open', opens: 2 })
    await test.clock.advance(9)
    expect((await releaseDue(test.database)).freed).toEqual([])
    await test.clock.advance(2)
    expect((await releaseDue(test.database)).freed).toHaveLength(1)
  })

  it('probes again when whoever had the probe is gone', async () => {
    await test.open()
    const ids = await test.add(2)
    await claimDeliveries(test.database, ids)
    await test.clock.advance(6)
    const [first] = (await releaseDue(test.database)).freed
    await claimDeliveries(test.database, [first?.delivery_id ?? 0n])
    await test.clock.advance(70)
    const [second] = (await releaseDue(test.database)).freed
    expect(new Set([first?.delivery_id, second?.delivery_id])).toEqual(new Set(ids))
    // The lease of the first has run out too: its attempt would be a second probe.
    expect(await claimDeliveries(test.database, ids)).toMatchObject([{ id: second?.delivery_id }])
  })

  it('is closed when there is nothing to ask it with, and opens at the next failure, for longer', async () => {
    await test.open()
    await test.clock.advance(6)
    expect((await releaseDue(test.database)).changes).toMatchObject([{ to: 'untried', cause: 'none_held' }])
    const ids = await test.add(1)
    await test.fail(await claimDeliveries(test.database, ids))
    expect(await test.readEndpoint()).toMatchObject({ state: 'open', opens: 2 })
  })

  it('that was closed untried is well with the next success, and says so', async () => {
    await test.open()
    await test.clock.advance(6)
    await releaseDue(test.database)
    expect(await test.note([9n], 'works')).toMatchObject({ changes: [{ to: 'closed', cause: 'success' }] })
    expect(await test.readEndpoint()).toBeUndefined()
  })

  it('lets nothing go before its next attempt is due', async () => {
    await test.open()
    const [id = 0n] = await test.add(1)
    await sql`UPDATE to_deliver SET held_at = now(), due_at = now() + interval '60 seconds'`.execute(
      test.database,
    )
    await test.clock.advance(6)
    expect((await releaseDue(test.database)).freed).toEqual([])
    await rampStranded(test.database)
    await test.clock.advance(30)
    expect((await releaseDue(test.database)).freed).toEqual([])
    await test.clock.advance(30)
    await rampStranded(test.database)
    expect((await releaseDue(test.database)).freed).toMatchObject([{ delivery_id: id }])
  })
})
