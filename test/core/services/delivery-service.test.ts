import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type Client, Code } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  ChangeOutcome,
  DeliveryService,
  DeliveryState,
  EndpointState,
} from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import { bearerOf, clientOver, refusedWith } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addDeliveries, readDelivery } from '../../support/deliveries.ts'
import { startTransports, type Transports } from '../../support/transports.ts'
import { attempted, clear, end, hold, lease } from '../deliveries/harness.ts'

const URL = 'https://shop.co.ke/callback'

let test: TestCore
let transports: Transports
let headers: { authorization: string; 'x-operator': string }
let wakes = 0

beforeAll(async () => {
  test = await startTestCore({
    onDeliveriesDue: () => {
      wakes += 1
    },
  })
  transports = await startTransports(test)
  headers = { ...(await bearerOf(test.database, 'deliveries:manage')), 'x-operator': 'amina' }
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})
beforeEach(() => clear(test.database))

const through = (protocol: string) => clientOver(transports, DeliveryService, protocol)

const add = (count: number): Promise<bigint[]> =>
  addDeliveries(
    test.database,
    Array.from({ length: count }, () => URL),
    test.partnerId,
  )

describe('an endpoint that is down', () => {
  const takeDown = async (state: 'open' | 'half_open' | 'ramping'): Promise<void> => {
    const [id = 0n] = await add(1)
    await hold(test.database, id)
    await test.database
      .insertInto('endpoints')
      .values({
        partner_id: test.partnerId,
        host: 'shop.co.ke',
        state,
        open_until: new Date(Date.now() + 3_600_000),
      })
      .execute()
  }
  const readOpenUntil = async (): Promise<Date | null | undefined> =>
    (await test.database.selectFrom('endpoints').select('open_until').executeTakeFirst())?.open_until
  const probe = (host = 'shop.co.ke') =>
    through('gRPC').probeEndpoint({ partnerId: test.partnerId, host }, { headers })

  it('is asked now, and that is written down', async () => {
    await takeDown('open')
    expect(await probe()).toMatchObject({ state: EndpointState.OPEN, held: 1n })
    expect((await readOpenUntil())?.getTime()).toBeLessThan(Date.now() + 60_000)
    const lines = await test.database.selectFrom('audit').select(['action', 'subject_id']).execute()
    expect(lines).toEqual([{ action: 'probed', subject_id: 'shop.co.ke' }])
  })

  it.each([
    ['half_open', EndpointState.HALF_OPEN],
    ['ramping', EndpointState.RAMPING],
  ] as const)('or is not any more (%s) stays as it is, and that is said', async (state, shown) => {
    await takeDown(state)
    const before = await readOpenUntil()
    expect(await probe()).toMatchObject({ state: shown, held: 1n })
    expect(await readOpenUntil()).toEqual(before)
    expect(await test.database.selectFrom('audit').select('id').execute()).toEqual([])
  })

  it('and paused is not asked, nor is one without trouble', async () => {
    expect(await refusedWith(probe())).toEqual([
      Code.NotFound,
      `endpoint shop.co.ke of partner ${test.partnerId} is not in trouble: nothing is held for it`,
    ])
    await takeDown('open')
    const endpoint = { partnerId: test.partnerId, host: 'shop.co.ke' }
    await through('gRPC').pauseEndpoint(endpoint, { headers })
    expect(await refusedWith(probe())).toEqual([
      Code.FailedPrecondition,
      `endpoint shop.co.ke of partner ${test.partnerId} is paused: resume it, and what is held for it is let go`,
    ])
    expect((await refusedWith(probe('shop.co.ke/')))[0]).toBe(Code.InvalidArgument)
  })

  it('is what those wait for that are retried while they are held', async () => {
    await takeDown('open')
    const filter = { state: DeliveryState.HELD, partnerId: test.partnerId }
    const retried = await through('gRPC').retryDeliveries({ filter }, { headers })
    expect(retried).toMatchObject({ found: 1n, retried: 1n, held: 1n })
    const { deliveries } = await through('gRPC').listDeliveries({ filter }, { headers })
    expect(deliveries).toMatchObject([{ heldBecause: 'down', heldUntil: expect.anything() }])
    expect(deliveries[0]?.nextAttemptAt).toBeUndefined()
  })
})

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('deliveries through %s', (protocol) => {
  it('are listed, read, retried and cancelled', async () => {
    const deliveries = through(protocol)
    const [waiting = 0n, dead = 0n] = await add(2)
    await attempted(test.database, waiting, { status: 503, errorClass: 'status', answer: 'busy' })
    await end(test.database, dead, 'dead')

    const page = await deliveries.listDeliveries(
      {
        filter: { partnerId: test.partnerId, createdSince: timestampFromDate(new Date(0)) },
        pageSize: 1,
      },
      { headers },
    )
    expect(page).toMatchObject({
      deliveries: [{ deliveryId: dead, state: DeliveryState.DEAD, reason: expect.any(String) }],
      nextBefore: dead,
    })
    const next = await deliveries.listDeliveries({ before: dead }, { headers })
    expect(next.deliveries.map(({ deliveryId }) => deliveryId)).toEqual([waiting])
    expect(next.nextBefore).toBeUndefined()

    const read = await deliveries.getDelivery({ deliveryId: waiting }, { headers })
    expect(read).toMatchObject({
      delivery: { host: 'shop.co.ke', errorClass: 'status', status: 503, callbackUrl: URL, underWay: false },
      attempts: [{ number: 1, durationMs: 12, address: '203.0.113.9', status: 503, answer: 'busy' }],
    })

    const before = wakes
    const retried = await deliveries.retryDeliveries({ deliveryIds: [dead, 999_999n] }, { headers })
    expect(retried).toMatchObject({
      found: 1n,
      retried: 1n,
      changes: [
        { deliveryId: dead, outcome: ChangeOutcome.RETRIED },
        { deliveryId: 999_999n, outcome: ChangeOutcome.NOT_FOUND },
      ],
    })
    expect(wakes).toBe(before + 1)
    const cancelled = await deliveries.cancelDeliveries(
      { deliveryIds: [dead], reason: 'sold out' },
      { headers },
    )
    expect(cancelled).toMatchObject({ cancelled: 1n, changes: [{ outcome: ChangeOutcome.CANCELLED }] })
    expect((await readDelivery(test.database, dead)).dead_reason).toBe('cancelled by amina: sold out')
  })

  it('of an endpoint are paused and resumed', async () => {
    const deliveries = through(protocol)
    const [id = 0n] = await add(1)
    const endpoint = { partnerId: test.partnerId, host: 'Shop.co.ke' }
    const { pausedAt } = await deliveries.pauseEndpoint(endpoint, { headers })
    expect((await deliveries.pauseEndpoint(endpoint, { headers })).pausedAt).toEqual(pausedAt)
    await hold(test.database, id)
    const { endpoints } = await deliveries.listEndpoints({ pausedOnly: true }, { headers })
    expect(endpoints).toMatchObject([
      { host: 'shop.co.ke', state: EndpointState.CLOSED, pausedBy: 'amina', held: 1n, pending: 0n },
    ])
    expect(await deliveries.resumeEndpoint(endpoint, { headers })).toMatchObject({ held: 1n })
    expect(await refusedWith(deliveries.resumeEndpoint(endpoint, { headers }))).toEqual([
      Code.NotFound,
      `endpoint shop.co.ke of partner ${test.partnerId} is not paused`,
    ])
  })

  it('are nobody’s business without the scope deliveries:manage', async () => {
    const deliveries = through(protocol)
    const other = await bearerOf(test.database, 'payments:read', 'partners:manage', 'callbacks:write')
    const calls: ((given: Record<string, string>) => Promise<unknown>)[] = [
      (given) => deliveries.listDeliveries({}, { headers: given }),
      (given) => deliveries.getDelivery({ deliveryId: 1n }, { headers: given }),
      (given) => deliveries.retryDeliveries({ deliveryIds: [1n] }, { headers: given }),
      (given) => deliveries.cancelDeliveries({ deliveryIds: [1n] }, { headers: given }),
      (given) => deliveries.listEndpoints({}, { headers: given }),
      (given) => deliveries.pauseEndpoint({ partnerId: 1n, host: 'shop.co.ke' }, { headers: given }),
      (given) => deliveries.resumeEndpoint({ partnerId: 1n, host: 'shop.co.ke' }, { headers: given }),
    ]
    for (const call of calls) {
      expect((await refusedWith(call(other)))[0]).toBe(Code.PermissionDenied)
      expect((await refusedWith(call({})))[0]).toBe(Code.Unauthenticated)
      expect((await refusedWith(call(test.headers)))[0]).toBe(Code.Unauthenticated)
    }
  })
})

describe('many deliveries', () => {
  it('are counted first, and changed only then', async () => {
    const deliveries = through('gRPC')
    const ids = await add(3)
    await lease(test.database, ids[2] ?? 0n)
    const request = { filter: { state: DeliveryState.PENDING, host: 'shop.co.ke' }, reason: 'sold out' }
    const counted = await deliveries.cancelDeliveries({ ...request, validateOnly: true }, { headers })
    expect(counted).toMatchObject({ found: 3n, cancelled: 0n })
    expect(await readDelivery(test.database, ids[0] ?? 0n)).toMatchObject({ state: 'pending' })
    const done = await deliveries.cancelDeliveries(request, { headers })
    expect(done).toMatchObject({ found: 3n, cancelled: 2n, changes: [] })
    const back = { filter: { state: DeliveryState.CANCELLED }, perSecond: 1 }
    const counting = await deliveries.retryDeliveries({ ...back, validateOnly: true }, { headers })
    expect(counting).toMatchObject({ found: 2n, retried: 0n })
    expect(await deliveries.retryDeliveries(back, { headers })).toMatchObject({ found: 2n, retried: 2n })
    const due = await test.database.selectFrom('to_deliver').select('due_at').orderBy('due_at').execute()
    expect((due[2]?.due_at.getTime() ?? 0) - (due[1]?.due_at.getTime() ?? 0)).toBe(1000)
  })
})

/** What is wrong in a request, what it asks for, and the field that the answer names. */
const WRONG: readonly [string, (deliveries: Client<typeof DeliveryService>) => Promise<unknown>, string][] = [
  ['a page too large', (of) => of.listDeliveries({ pageSize: 1001 }, { headers }), 'page_size must be'],
  ['a cursor of nought', (of) => of.listDeliveries({ before: 0n }, { headers }), 'before must be'],
  [
    'a host with a path',
    (of) => of.listDeliveries({ filter: { host: 'shop.co.ke/x' } }, { headers }),
    'filter.host must be',
  ],
  [
    'a partner of nought',
    (of) => of.listDeliveries({ filter: { partnerId: 0n } }, { headers }),
    'filter.partner_id must be',
  ],
  [
    'a partner of nought beside a filter of none',
    (of) => of.listEndpoints({ partnerId: 0n }, { headers }),
    'partner_id must be',
  ],
  [
    'no class of error',
    (of) => of.listDeliveries({ filter: { errorClass: 'DNS!' } }, { headers }),
    'filter.error_class must be',
  ],
  [
    'a state that is none',
    (of) => of.listDeliveries({ filter: { state: UNKNOWN_STATE } }, { headers }),
    'filter.state must be',
  ],
  ['nothing to retry', (of) => of.retryDeliveries({}, { headers }), 'delivery_ids or filter must be set'],
  [
    'ids beside a filter',
    (of) => of.retryDeliveries({ deliveryIds: [1n], filter: PENDING }, { headers }),
    'filter must not be set',
  ],
  [
    'a filter without a state',
    (of) => of.retryDeliveries({ filter: {} }, { headers }),
    'filter.state must be one of pending, held',
  ],
  [
    'a retry of what is delivered',
    (of) => of.retryDeliveries({ filter: { state: DeliveryState.DELIVERED } }, { headers }),
    'filter.state must be one of pending, held',
  ],
  [
    'a rate too high',
    (of) => of.retryDeliveries({ filter: PENDING, perSecond: 1001 }, { headers }),
    'per_second must be',
  ],
  [
    'a cancellation without a reason',
    (of) => of.cancelDeliveries({ deliveryIds: [1n] }, { headers }),
    'reason must be',
  ],
  [
    'a cancellation of what is dead',
    (of) => of.cancelDeliveries({ filter: { state: DeliveryState.DEAD }, reason: 'x' }, { headers }),
    'filter.state must be one of pending, held',
  ],
  ['a page token of nobody', (of) => of.listEndpoints({ pageToken: 'x' }, { headers }), 'page_token must be'],
  ['no host', (of) => of.pauseEndpoint({ partnerId: 1n, host: '' }, { headers }), 'host must be'],
]

const PENDING = { state: DeliveryState.PENDING }

it.each(WRONG)('%s is refused by the name of its field', async (_what, call, message) => {
  expect(await refusedWith(call(through('gRPC')))).toEqual([
    Code.InvalidArgument,
    expect.stringContaining(message),
  ])
})

it('a delivery and a partner that are not there are answered so', async () => {
  const deliveries = through('gRPC')
  const absent = deliveries.getDelivery({ deliveryId: 999_999n }, { headers })
  expect(await refusedWith(absent)).toEqual([Code.NotFound, 'there is no delivery 999999'])
  const stranger = deliveries.pauseEndpoint({ partnerId: 999_999n, host: 'shop.co.ke' }, { headers })
  expect(await refusedWith(stranger)).toEqual([Code.NotFound, 'there is no partner 999999'])
})

/** A state that this release does not know. */
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- what a newer client may send
const UNKNOWN_STATE = 99 as DeliveryState
