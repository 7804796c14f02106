import { randomBytes } from 'node:crypto'
import { Code, type ConnectError } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lineageOf, renderCursor } from '../../../src/core/events/cursor.ts'
import { readFirstEpoch } from '../../../src/core/events/read-events.ts'
import { createCoreMetrics } from '../../../src/core/metrics.ts'
import { createKey } from '../../../src/core/partners/api-key.ts'
import type { Database } from '../../../src/database/connect.ts'
import { FieldViolationSchema } from '../../../src/gen/mpesa/gateway/v1/errors_pb.js'
import {
  type PaymentEvent,
  PaymentEventService,
  type WatchPaymentsResponse,
} from '../../../src/gen/mpesa/gateway/v1/payment_events_pb.js'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { testIdOf } from '../../../src/values/test-partner.ts'
import { testActor } from '../../support/actor.ts'
import { openCallbackReceiver } from '../../support/callback-receiver.ts'
import { bearerOf, clientOver, refusalOf } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import type { TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { connectTo, startOwnDatabase } from '../../support/own-database.ts'
import { addPartner } from '../../support/partner.ts'
import { paymentRequest } from '../../support/requests.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

const PROTOCOLS = ['gRPC', 'Connect', 'gRPC-Web']

/** What each watcher may have here: few, so that a test reaches it. */
const WATCHERS = { total: 6, perPartner: 3 }

let own: TestDatabase
let database: Database
let test: TestCore
let transports: Transports
let registry: Registry
const cleanUp: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  own = await startOwnDatabase()
  database = connectTo(own, 6)
  registry = new Registry()
  const metrics = createCoreMetrics(registry, database)
  test = await startTestCore({ database, metrics, config: { watchers: WATCHERS } }, own)
  const receiver = await openCallbackReceiver(test)
  transports = await startTransports(test)
  cleanUp.push(
    () => transports.close(),
    () => receiver.close(),
    () => database.destroy(),
    () => test.stop(),
  )
})
afterAll(async () => {
  test.core.endWatching()
  for (const step of cleanUp) await step()
})

const clientOf = (protocol: string) => clientOver(transports, PaymentEventService, protocol)
const bearer = () => bearerOf(database, 'payments:read')

const ask = async (headers = test.headers): Promise<bigint> => {
  const { paymentId } = await test.clients.payments.requestPayment(paymentRequest(), { headers })
  return paymentId
}

type Watching = (options: {
  headers: Record<string, string>
  signal: AbortSignal
}) => AsyncIterable<WatchPaymentsResponse>

/** Reads a stream until there are so many events, and ends it; resolves with its messages. */
const take = async (
  watch: Watching,
  headers: Record<string, string>,
  count = Number.POSITIVE_INFINITY,
): Promise<WatchPaymentsResponse[]> => {
  const messages: WatchPaymentsResponse[] = []
  const abort = new AbortController()
  try {
    for await (const message of watch({ headers, signal: abort.signal })) {
      messages.push(message)
      if (eventsOf(messages).length >= count) break
    }
  } finally {
    abort.abort()
  }
  return messages
}

const eventsOf = (messages: readonly WatchPaymentsResponse[]): PaymentEvent[] =>
  messages.flatMap(({ events }) => events)

const nameOf = (event: PaymentEvent): string =>
  `${event.paymentId}.${event.number} ${PaymentState[event.fromState]}>${PaymentState[event.state]}`

const wayOf = (paymentId: bigint): string[] => [
  `${paymentId}.1 UNSPECIFIED>ACCEPTED`,
  `${paymentId}.2 ACCEPTED>SUBMITTING`,
  `${paymentId}.3 SUBMITTING>SUBMITTED`,
  `${paymentId}.4 SUBMITTED>SUCCESSFUL`,
]

const openWatchers = async (): Promise<number> =>
  (await registry.getSingleMetric('gateway_watchers')?.get())?.values[0]?.value ?? 0

const nobodyWatches = () => eventually(async () => expect(await openWatchers()).toBe(0))

describe.each(PROTOCOLS)('through %s', (protocol) => {
  it('a partner sees each change of its payments once and in order, and no other partner’s', async () => {
    const events = clientOf(protocol)
    const stranger = await addPartner(database, { name: 'Stranger' })
    const abort = new AbortController()
    const stream = events.watchPayments({}, { headers: test.headers, signal: abort.signal })
    const messages = stream[Symbol.asyncIterator]()
    const first = await messages.next()
    expect(first.value).toMatchObject({ events: [] })
    await ask({ 'x-api-key': stranger.apiKey })
    const paymentId = await ask()
    const seen: PaymentEvent[] = []
    while (seen.length < 4) {
      const { value } = await messages.next()
      seen.push(...(value?.events ?? []))
    }
    expect(seen.map(nameOf)).toEqual(wayOf(paymentId))
    expect(seen.at(-1)?.payment).toMatchObject({ paymentId, receipt: expect.any(String), amountKes: 150 })
    abort.abort()
    await nobodyWatches()
  })

  it('whoever resumes from a cursor, of an event or of a message, gets what follows and nothing again', async () => {
    const events = clientOf(protocol)
    const { headers } = test
    const { cursor } = await events.listPaymentEvents({}, { headers })
    const paymentId = await ask()
    const all = await take((options) => events.watchPayments({ after: cursor }, options), headers, 4)
    const seen = eventsOf(all)
    expect(seen.map(nameOf)).toEqual(wayOf(paymentId))
    for (const [index, event] of seen.slice(0, -1).entries()) {
      const rest = 3 - index
      const resumed = await take(
        (options) => events.watchPayments({ after: event.cursor }, options),
        headers,
        rest,
      )
      expect(eventsOf(resumed).map(nameOf)).toEqual(wayOf(paymentId).slice(index + 1))
    }
    const listed = await events.listPaymentEvents({ after: cursor, pageSize: 3 }, { headers })
    expect(listed.events.map(nameOf)).toEqual(wayOf(paymentId).slice(0, 3))
    expect(listed.more).toBe(true)
    const rest = await events.listPaymentEvents({ after: listed.cursor }, { headers })
    expect(rest.events.map(nameOf)).toEqual(wayOf(paymentId).slice(3))
    expect(rest.more).toBe(false)
    await nobodyWatches()
  })

  it('a watcher who hears nothing gets signs of life, with a cursor that goes on', async () => {
    const events = clientOf(protocol)
    const paymentId = await ask()
    const { headers } = test
    const done = await take(
      (options) => events.watchPayments({ paymentId, fromOldest: true }, options),
      headers,
      4,
    )
    expect(eventsOf(done).map(nameOf)).toEqual(wayOf(paymentId))
    const abort = new AbortController()
    const quiet = events.watchPayments(
      { paymentId, after: done.at(-1)?.cursor ?? '', heartbeatSeconds: 1 },
      { headers, signal: abort.signal },
    )
    const later = await ask()
    const messages = quiet[Symbol.asyncIterator]()
    await messages.next()
    await eventually(async () => {
      const { value } = await messages.next()
      expect(value?.events).toEqual([])
      const { events: listed } = await events.listPaymentEvents({ after: value?.cursor ?? '' }, { headers })
      expect(listed.filter((one) => one.paymentId === later)).toEqual([])
    })
    abort.abort()
    await nobodyWatches()
  })

  it('a service watches all, or one partner, or one payment', async () => {
    const events = clientOf(protocol)
    const headers = await bearer()
    const stranger = await addPartner(database, { name: 'Another' })
    const { cursor: after } = await events.listPaymentEvents({}, { headers })
    const theirs = await ask({ 'x-api-key': stranger.apiKey })
    const ours = await ask()
    const eight = await take((options) => events.watchPayments({ after }, options), headers, 8)
    expect(new Set(eventsOf(eight).map((one) => one.paymentId))).toEqual(new Set([theirs, ours]))
    for (const filter of [{ partnerId: stranger.partnerId }, { paymentId: theirs }]) {
      const four = await take((options) => events.watchPayments({ after, ...filter }, options), headers, 4)
      expect(eventsOf(four).map(nameOf)).toEqual(wayOf(theirs))
    }
    await nobodyWatches()
  })

  it('what is wrong is named, and another’s is as absent as none', async () => {
    const events = clientOf(protocol)
    const { headers } = test
    const { cursor } = await events.listPaymentEvents({}, { headers })
    const stranger = await addPartner(database, { name: 'Stranger' })
    const theirs = await ask({ 'x-api-key': stranger.apiKey })
    const foreign = renderCursor({ position: 9n, paymentId: 9n, number: 1 }, lineageOf('another gateway'))
    const lineage = lineageOf(await readFirstEpoch(database))
    const lost = renderCursor({ position: 999_999_999n, paymentId: theirs, number: 1 }, lineage)
    const wrong: [object, Code, RegExp][] = [
      [{ after: 'yesterday' }, Code.InvalidArgument, /^after must be a cursor exactly as it was given/],
      [{ after: cursor.slice(0, -1) }, Code.InvalidArgument, /^after must be a cursor exactly/],
      [{ after: foreign }, Code.InvalidArgument, /^after must be a cursor of this gateway/],
      [{ after: lost }, Code.InvalidArgument, /^after must stand at an event that is kept/],
      [{ after: cursor, fromOldest: true }, Code.InvalidArgument, /^from_oldest must be unset/],
      [{ paymentId: -1n }, Code.InvalidArgument, /^payment_id must be/],
      [{ partnerId: 0n }, Code.InvalidArgument, /^partner_id must be/],
      [{ paymentId: theirs }, Code.NotFound, /no such payment/],
      [{ paymentId: 999_999n }, Code.NotFound, /no such payment/],
      [{ partnerId: stranger.partnerId }, Code.NotFound, /no such partner/],
      [{ partnerId: 999_999n }, Code.NotFound, /no such partner/],
    ]
    for (const [request, code, why] of wrong) {
      for (const call of [
        events.listPaymentEvents(request, { headers }),
        take((options) => events.watchPayments(request, options), headers),
      ].map(refusalOf)) {
        const error = await call
        expect(error.rawMessage).toMatch(why)
        expect(error.code).toBe(code)
        expect(error.findDetails(FieldViolationSchema)).toHaveLength(code === Code.InvalidArgument ? 1 : 0)
      }
    }
    for (const heartbeatSeconds of [-1, 301]) {
      const call = take((options) => events.watchPayments({ heartbeatSeconds }, options), headers)
      expect((await refusalOf(call)).rawMessage).toMatch(/^heartbeat_seconds must be/)
    }
    for (const pageSize of [-1, 501]) {
      const call = events.listPaymentEvents({ pageSize }, { headers })
      expect((await refusalOf(call)).rawMessage).toMatch(/^page_size must be/)
    }
    await nobodyWatches()
  })

  it('there are no more watchers than may be, and whoever ends one makes room', async () => {
    const events = clientOf(protocol)
    const opened: (() => void)[] = []
    const open = async (headers: Record<string, string>): Promise<void> => {
      const abort = new AbortController()
      const messages = events.watchPayments({}, { headers, signal: abort.signal })[Symbol.asyncIterator]()
      await messages.next()
      opened.push(() => abort.abort())
    }
    const stranger = { 'x-api-key': (await addPartner(database, { name: 'Stranger' })).apiKey }
    for (let count = 0; count < WATCHERS.perPartner; count += 1) await open(test.headers)
    const partners = await refusalOf(open(test.headers))
    expect(partners).toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: expect.stringMatching(/you have 3 watchers/),
    })
    expect(partners.metadata.get('retry-after')).toBe('30')
    for (let count = 0; count < WATCHERS.total - WATCHERS.perPartner; count += 1) await open(stranger)
    const all = await refusalOf(open(await bearer()))
    expect(all).toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: expect.stringMatching(/this process has 6 watchers/),
    })
    opened.pop()?.()
    await eventually(() => open(stranger))
    for (const end of opened) end()
    await nobodyWatches()
  })

  it('a deadline ends a stream, and frees what it held', async () => {
    const events = clientOf(protocol)
    const watch: Watching = (options) => events.watchPayments({}, { ...options, timeoutMs: 300 })
    const error = await refusalOf(take(watch, test.headers))
    expect(error.code).toBe(Code.DeadlineExceeded)
    await nobodyWatches()
  })
})

it('events of test payments come to test keys, and to services that name the payment', async () => {
  const events = clientOf('gRPC')
  const [service, partner] = [await bearer(), await addPartner(database, { name: 'Tries it out' })]
  const { partnerId } = partner
  const { cursor: after } = await events.listPaymentEvents({}, { headers: service })
  const { id: paymentId } = await database
    .insertInto('payments')
    .values({
      partner_id: testIdOf(partnerId),
      account_id: testIdOf(partnerId),
      amount_kes: 150,
      state: 'accepted',
      submit_by: new Date(),
      msisdn: '254712345678',
      callback_url: 'https://yourapp.example.com/callback',
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  const options = { database, partnerId, name: 'test', isTest: true, lifeMs: null, actor: testActor } as const
  const made = await createKey({ ...options, randomBytes })
  if (made.kind !== 'made') throw new Error(made.kind)
  const seenBy = async (headers: Record<string, string>, filter: object) => {
    const listed = await events.listPaymentEvents({ after, ...filter }, { headers })
    return listed.events.map((event) => [event.paymentId, event.partnerId])
  }
  await eventually(async () => {
    expect(await seenBy(service, { paymentId })).toEqual([[paymentId, partnerId]])
  })
  expect(await seenBy({ 'x-api-key': made.apiKey }, { partnerId })).toEqual([[paymentId, partnerId]])
  expect(await seenBy({ 'x-api-key': partner.apiKey }, {})).toEqual([])
  expect(await seenBy(service, {})).toEqual([])
})

it.each(['revoked', 'disabled'])('a watcher whose key or partner is %s is sent away', async (how) => {
  const events = clientOf('gRPC')
  const partner = await addPartner(database, { name: 'Soon gone' })
  const headers = { 'x-api-key': partner.apiKey }
  const ended = refusalOf(take((options) => events.watchPayments({}, options), headers))
  await eventually(async () => expect(await openWatchers()).toBe(1))
  const now = new Date()
  if (how === 'revoked') {
    await database
      .updateTable('api_keys')
      .set({ revoked_at: now })
      .where('partner_id', '=', partner.partnerId)
      .execute()
  } else {
    await database
      .updateTable('partners')
      .set({ disabled_at: now })
      .where('id', '=', partner.partnerId)
      .execute()
  }
  expect((await ended).code).toBe(Code.PermissionDenied)
  await nobodyWatches()
})

it('a process that stops sends its watchers elsewhere, and lets none in', async () => {
  const watchThrough = (protocol: string): Promise<ConnectError> =>
    refusalOf(take((options) => clientOf(protocol).watchPayments({}, options), test.headers))
  const ended = watchThrough('gRPC')
  await eventually(async () => expect(await openWatchers()).toBe(1))
  test.core.endWatching()
  const error = await ended
  expect(error).toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(/watch on from your last cursor/),
  })
  for (const protocol of PROTOCOLS) {
    expect((await watchThrough(protocol)).code).toBe(Code.Unavailable)
  }
  await nobodyWatches()
})
