import { Registry } from 'prom-client'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signalOnce } from '../../src/core/signals/signal.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { addDeliveries, addDelivery, readAttempts, readDelivery } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts'

let testDatabase: TestDatabase
let test: Harness
/** Where operators are told. */
let sink: Receiver

beforeAll(async () => {
  testDatabase = await createTestDatabase()
})
afterAll(() => testDatabase.drop())
beforeEach(async () => {
  test = await startHarness(testDatabase.url)
  sink = await startReceiver()
})
afterEach(async () => {
  await test.stop()
  await sink.close()
})

const SECRET = `whsec_${Buffer.from('of the operators, 32 bytes long!').toString('base64')}`
const NEXT_SECRET = `whsec_${Buffer.from('the next of them, 32 bytes long.').toString('base64')}`

const OPERATORS = 0n

const untilState = (id: bigint, state: 'delivered' | 'dead'): Promise<void> =>
  eventually(async () => expect((await readDelivery(test.database, id)).state).toBe(state))

/** Puts signals into the outbox as they were written while SIGNAL_URL led to `url`. */
const addSignals = (count: number, url = sink.url): Promise<bigint[]> =>
  addDeliveries(
    test.database,
    Array.from({ length: count }, () => url),
    OPERATORS,
  )

describe('a signal', () => {
  it('is signed with the operators’ secrets, and repeated under one webhook-id until it is taken', async () => {
    sink.behave((received, response) =>
      answerWith(received.headers['webhook-attempt'] === '3' ? 204 : 500)(received, response),
    )
    const [id = 0n] = await addSignals(1)
    test.dispatch({ sink: { url: sink.url, secrets: [NEXT_SECRET, SECRET] } })
    await untilState(id, 'delivered')
    expect(new Set(sink.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(sink.received.map(({ headers }) => headers['webhook-attempt'])).toEqual(['1', '2', '3'])
    for (const { headers, body } of sink.received) {
      new Webhook(SECRET).verify(body, headers)
      new Webhook(NEXT_SECRET).verify(body, headers)
    }
    expect(test.lines).toContainEqual(expect.objectContaining({ event: 'delivery_attempted', signal: true }))
  })

  it('goes to a private address, to which no partner’s delivery does', async () => {
    test.dispatch({ sink: { url: sink.url, secrets: [SECRET] }, allowPrivateNetworks: false })
    const [signal = 0n] = await addSignals(1)
    const delivery = await addDelivery(test.database, sink.url)
    await untilState(signal, 'delivered')
    await untilState(delivery, 'dead')
    expect(sink.received).toHaveLength(1)
    expect((await readAttempts(test.database, delivery))[0]?.error_class).toBe('blocked')
  })

  it('goes where the setting leads now, and not where it led when it was written', async () => {
    const [id = 0n] = await addSignals(1, test.receiver.url)
    test.dispatch({ sink: { url: `${sink.url}/new`, secrets: [SECRET] } })
    await untilState(id, 'delivered')
    expect(sink.received.map(({ path }) => path)).toEqual(['/new'])
    expect(test.receiver.received).toEqual([])
  })

  it('waits where the dispatcher knows of no sink, unsent and unsigned', async () => {
    const [id = 0n] = await addSignals(1)
    test.dispatch({ scheduleMs: [0, 60_000] })
    await eventually(async () =>
      expect((await readAttempts(test.database, id))[0]?.error_class).toBe('not_signed'),
    )
    expect((await readDelivery(test.database, id)).state).toBe('pending')
    expect(sink.received).toEqual([])
  })
})

it('a sink that never answers delays no partner, and shows in metrics of its own alone', async () => {
  sink.behave(() => undefined)
  const registry = new Registry()
  test.dispatch({ sink: { url: sink.url, secrets: [SECRET] }, registry })
  await addSignals(200)
  await eventually(() => expect(sink.received.length).toBeGreaterThan(3))
  const ids = await addDeliveries(
    test.database,
    Array.from({ length: 50 }, () => test.receiver.url),
    'own',
  )
  for (const id of ids) await untilState(id, 'delivered')
  const metrics = await registry.metrics()
  expect(metrics).toMatch(/^gateway_open_signals 200$/m)
  expect(metrics).toMatch(/^gateway_oldest_open_signal_age_seconds \d/m)
  expect(metrics).toMatch(/^gateway_open_deliveries\{due="(now|leased|held)"\} 0$/m)
})

it('what happens to a partner’s endpoint comes to the sink: down, and the death of what was for it', async () => {
  await test.database.insertInto('partners').values({ name: 'Duka <b>la</b> Wanjiku' }).execute()
  const { id } = await test.database.selectFrom('partners').select('id').executeTakeFirstOrThrow()
  test.receiver.behave(answerWith(500, 'no'))
  test.dispatch({ sink: { url: sink.url, secrets: [SECRET] } })
  await addDeliveries(
    test.database,
    Array.from({ length: 6 }, () => test.receiver.url),
    id,
  )
  await eventually(async () => {
    await signalOnce({
      database: test.database,
      url: sink.url,
      overdueAfterMs: 900_000,
      pace: { lookMs: 0, gapMs: 0, raiseAfterMs: 0, clearAfterMs: 0 },
    })
    const types = sink.received.map(({ body }) => (JSON.parse(body) as { type: string }).type)
    expect(types).toContain('endpoint.down')
    expect(types).toContain('delivery.dead')
  })
  const ids = sink.received.map(({ headers }) => headers['webhook-id'])
  expect(new Set(ids).size).toBe(ids.length)
  expect(sink.received[0]?.body).toContain('Duka <b>la</b> Wanjiku')
})
