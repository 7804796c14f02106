import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelDeliveries } from '../../src/core/deliveries/cancel.ts'
import { pauseEndpoint, resumeEndpoint } from '../../src/core/deliveries/endpoints.ts'
import { findAttempts, findDelivery } from '../../src/core/deliveries/find.ts'
import { probeEndpoint } from '../../src/core/deliveries/probe.ts'
import { retryDeliveries } from '../../src/core/deliveries/retry.ts'
import { AMINA } from '../core/deliveries/harness.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readDelivery } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { addPartner } from '../support/partner.ts'
import { answerWith } from '../support/receiver.ts'

let own: TestDatabase
let test: Harness
let partnerId: bigint
beforeAll(async () => {
  own = await createTestDatabase()
})
afterAll(() => own.drop())
beforeEach(async () => {
  test = await startHarness(own.url)
  const added = await addPartner(test.database)
  partnerId = added.partnerId
})
afterEach(() => test.stop())

const retry = (ids: bigint[], delaySeconds = 0) =>
  retryDeliveries({
    database: test.database,
    actor: AMINA,
    ids,
    sendDeliveredAgain: true,
    delaySeconds,
    spacingSeconds: 0,
  })

const untilState = (id: bigint, state: string) =>
  eventually(async () => expect((await readDelivery(test.database, id)).state).toBe(state))

const receivedIds = (): (string | undefined)[] =>
  test.receiver.received.map(({ headers }) => headers['webhook-id'])

describe('an operator', () => {
  it('sends again what is dead: under its webhook-id, as its next attempt, with a whole schedule before it', async () => {
    test.receiver.behave(answerWith(503))
    test.dispatch()
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    await untilState(id, 'dead')
    expect(receivedIds()).toHaveLength(3)
    await retry([id])
    await untilState(id, 'dead')
    await eventually(() => expect(receivedIds()).toHaveLength(6))
    test.receiver.behave(answerWith(200, 'thanks'))
    // Five failures opened the endpoint: the retry is its probe.
    await retry([id])
    await untilState(id, 'delivered')
    expect(new Set(receivedIds()).size).toBe(1)
    expect(test.receiver.received.at(-1)?.headers['webhook-attempt']).toBe('7')
    expect(await test.database.selectFrom('dead_letters').selectAll().execute()).toEqual([])
  })

  it('sends at once what waits, through a queue too, and it arrives once', async () => {
    const queue = test.openQueue()
    test.publish(queue)
    test.dispatch({ queue })
    test.receiver.behave(answerWith(503, 'busy', { 'retry-after': '3600' }))
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    await eventually(async () => {
      expect((await findDelivery(test.database, id))?.status).toBe(503)
    })
    test.receiver.behave(answerWith(200))
    await retry([id])
    await untilState(id, 'delivered')
    expect(receivedIds()).toHaveLength(2)
  })

  it('cancels what waits, and it is not attempted any more', async () => {
    test.receiver.behave(answerWith(503, 'busy', { 'retry-after': '3600' }))
    test.dispatch()
    const [cancelled = 0n, other = 0n] = await addDeliveries(
      test.database,
      [test.receiver.url, test.receiver.url],
      partnerId,
    )
    await eventually(() => expect(receivedIds()).toHaveLength(2))
    await eventually(async () => {
      const options = { database: test.database, actor: AMINA, ids: [cancelled], reason: 'sold out' }
      expect((await cancelDeliveries(options))[0]?.outcome).not.toBe('under_way')
    })
    test.receiver.behave(answerWith(200))
    // An attempt that is recorded later would say when it is due after all.
    await eventually(async () => {
      const { numUpdatedRows } = await test.database
        .updateTable('to_deliver')
        .set({ due_at: sql<Date>`now()` })
        .where('delivery_id', '=', other)
        .where('leased_until', '=', sql<Date>`'-infinity'`)
        .executeTakeFirstOrThrow()
      expect(numUpdatedRows).toBe(1n)
    })
    await untilState(other, 'delivered')
    expect((await readDelivery(test.database, cancelled)).state).toBe('cancelled')
    expect(receivedIds()).toHaveLength(3)
  })

  it('pauses an endpoint: nothing is sent, nothing is lost, and all of it arrives once it is resumed', async () => {
    test.dispatch()
    const endpoint = { partner_id: partnerId, host: new URL(test.receiver.url).host }
    await pauseEndpoint({ database: test.database, actor: AMINA, ...endpoint })
    const ids = await addDeliveries(
      test.database,
      Array.from({ length: 20 }, () => test.receiver.url),
      partnerId,
    )
    await eventually(async () => {
      const { rows } =
        await sql`SELECT count(*)::int AS held FROM to_deliver WHERE held_at IS NOT NULL`.execute(
          test.database,
        )
      expect(rows).toEqual([{ held: 20 }])
    })
    expect(receivedIds()).toEqual([])
    expect(await resumeEndpoint({ database: test.database, actor: AMINA, ...endpoint })).toEqual({
      held: 20,
      isMore: false,
    })
    for (const id of ids) await untilState(id, 'delivered')
    expect(new Set(receivedIds()).size).toBe(20)
    await eventually(async () =>
      expect(await test.database.selectFrom('endpoints').selectAll().execute()).toEqual([]),
    )
  })

  it('has an endpoint that was mended asked at once, and what was held arrives', async () => {
    const { host } = new URL(test.receiver.url)
    const inAnHour = new Date(Date.now() + 3_600_000)
    const down = {
      partner_id: partnerId,
      host,
      state: 'open',
      failures: 5,
      opens: 9,
      open_until: inAnHour,
    } as const
    await test.database.insertInto('endpoints').values(down).execute()
    test.dispatch()
    const ids = await addDeliveries(
      test.database,
      Array.from({ length: 5 }, () => test.receiver.url),
      partnerId,
    )
    await eventually(async () => {
      for (const id of ids)
        expect(await findDelivery(test.database, id)).toMatchObject({
          state: 'held',
          held_because: 'down',
          held_until: inAnHour,
        })
    })
    await retry(ids)
    expect(receivedIds()).toEqual([])
    const probed = await probeEndpoint({ database: test.database, actor: AMINA, partner_id: partnerId, host })
    expect(probed).toEqual({ state: 'open', isPaused: false, held: 5, isMore: false })
    for (const id of ids) await untilState(id, 'delivered')
    expect(new Set(receivedIds()).size).toBe(5)
  })

  it('sees every attempt as it was: when, where, how long, and the beginning of the answer with its numbers masked', async () => {
    test.receiver.behave(answerWith(500, `no such order, ask 254712345678 ${'x'.repeat(5_000)}`))
    test.dispatch()
    const id = await addDelivery(test.database, test.receiver.url, partnerId)
    await untilState(id, 'dead')
    const attempts = await findAttempts(test.database, id)
    expect(attempts.map(({ number }) => number)).toEqual([1, 2, 3])
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({
        started_at: expect.any(Date),
        finished_at: expect.any(Date),
        duration_ms: expect.any(Number),
        address: '127.0.0.1',
        status: 500,
        error_class: 'status',
      })
      expect(attempt.answer).toMatch(/^no such order, ask \*{12} x{100}/)
      expect(attempt.answer?.length).toBeLessThanOrEqual(4_096)
    }
  })
})
