import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PaymentService, PaymentState } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { ask, openFacade, paymentBody, request, type TestFacade } from '../facade/harness.ts'
import { eventually } from '../support/eventually.ts'
import { addPartner, type TestPartner } from '../support/partner.ts'
import { startTransports, type Transports } from '../support/transports.ts'
import { makeCallers } from './callers.ts'
import { expectRefusal } from './expect-refusal.ts'

const TRANSACTIONS = '/api/v1/mpesa/transactions'

/** Its payer pays at once, and that of the other has not answered yet. */
const PAYS = '254700000000'
const WAITS = '254700000022'

/** What a page is asked for, by the names of REST. */
type Query = {
  limit?: number
  before?: bigint
  status?: 'failed' | 'successful' | 'submitted'
  delivery?: 'undelivered'
  reference?: string
  mpesa_receipt?: string
  phone?: string
  idempotency_key?: string
  created_from?: string
  created_to?: string
}

const STATES = {
  failed: PaymentState.FAILED,
  successful: PaymentState.SUCCESSFUL,
  submitted: PaymentState.SUBMITTED,
}

let test: TestFacade
let transports: Transports
let shop: TestPartner
let stranger: TestPartner
/** Of the shop: two of one reference, the second paid; one of another payer without a reference; and one of the stranger's. */
let first: bigint
let second: bigint
let third: bigint
let strangers: bigint
let receipt: string
let all: bigint[]

beforeAll(async () => {
  test = await openFacade()
  transports = await startTransports(test)
  shop = await addPartner(test.database, { name: 'Shop' })
  stranger = await addPartner(test.database, { name: 'Stranger' })
  first = await pay(shop, { phone: WAITS, reference: 'INV 1/é' }, 'order-1')
  second = await pay(shop, { phone: PAYS, reference: 'INV 1/é' }, 'order-2')
  strangers = await pay(stranger, { phone: PAYS, reference: 'INV 1/é' }, 'order-1')
  third = await pay(shop, { phone: WAITS, reference: undefined }, 'order-3')
  await eventually(async () =>
    expect(await statesOf([second, strangers])).toEqual(['successful', 'successful']),
  )
  await eventually(async () => expect(await statesOf([first, third])).toEqual(['submitted', 'submitted']))
  all = [third, second, first]
  const row = test.database.selectFrom('payments').select('receipt').where('id', '=', second)
  receipt = (await row.executeTakeFirstOrThrow()).receipt ?? ''
  for (const [id, at] of [
    [first, '2026-05-04T08:00:00.000Z'],
    [second, '2026-05-04T08:00:00.500Z'],
    [strangers, '2026-05-04T08:45:00.000Z'],
    [third, '2026-05-04T09:00:00.000Z'],
  ] as const)
    await test.database
      .updateTable('payments')
      .set({ created_at: new Date(at) })
      .where('id', '=', id)
      .execute()
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

const headersOf = ({ apiKey }: TestPartner): string[] => [
  `X-API-KEY: ${apiKey}`,
  'Content-Type: application/json',
]

const pay = async (partner: TestPartner, body: Record<string, unknown>, key: string): Promise<bigint> => {
  const headers = [...headersOf(partner), `X-Idempotency-Key: ${key}`]
  return BigInt(
    JSON.parse((await ask(test, 'POST /api/v1/mpesa/stk_push', headers, paymentBody(body))).body)
      .transaction_id,
  )
}

const statesOf = async (ids: readonly bigint[]): Promise<string[]> => {
  const rows = await test.database
    .selectFrom('payments')
    .select('state')
    .where('id', 'in', ids)
    .orderBy('id')
    .execute()
  return rows.map(({ state }) => state)
}

type Found = { ids: bigint[]; next: bigint | null }

const overRest = async (partner: TestPartner, query: Query): Promise<Found> => {
  const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  const { body, status } = await ask(test, `GET ${TRANSACTIONS}?${text.join('&')}`, headersOf(partner))
  expect([status, body]).toEqual([200, body])
  const { transactions, next_before: next } = JSON.parse(body)
  const ids = transactions.map((one: { transaction_id: number }) => BigInt(one.transaction_id))
  return { ids, next: next === null ? null : BigInt(next) }
}

const toMessage = (query: Query) => ({
  pageSize: query.limit ?? 0,
  before: query.before,
  state: query.status && STATES[query.status],
  undeliveredOnly: query.delivery === 'undelivered',
  reference: query.reference,
  receipt: query.mpesa_receipt,
  msisdn: query.phone,
  idempotencyKey: query.idempotency_key,
  createdFrom: query.created_from === undefined ? undefined : timestampFromDate(new Date(query.created_from)),
  createdTo: query.created_to === undefined ? undefined : timestampFromDate(new Date(query.created_to)),
})

const clientOver = (protocol: string) => {
  const transport = transports.over[protocol]
  if (!transport) throw new Error(`no protocol ${protocol}`)
  return createClient(PaymentService, transport)
}

const overRpc = async (protocol: string, headers: Record<string, string>, asked: object): Promise<Found> => {
  const page = await clientOver(protocol).listPayments(asked, { headers })
  return { ids: page.payments.map(({ paymentId }) => paymentId), next: page.nextBefore ?? null }
}

describe.each(['REST', 'gRPC', 'Connect', 'gRPC-Web'])('payments are found over %s', (protocol) => {
  const find = (partner: TestPartner, query: Query): Promise<Found> =>
    protocol === 'REST'
      ? overRest(partner, query)
      : overRpc(protocol, { 'x-api-key': partner.apiKey }, toMessage(query))

  const rows: [what: string, query: () => Query, expected: () => bigint[]][] = [
    ['all of them', () => ({}), () => all],
    ['by reference', () => ({ reference: 'INV 1/é' }), () => [second, first]],
    ['by no part of a reference', () => ({ reference: 'INV 1' }), () => []],
    ['by no reference in other letters', () => ({ reference: 'inv 1/é' }), () => []],
    ['by receipt', () => ({ mpesa_receipt: receipt }), () => [second]],
    ['by a receipt that nobody has', () => ({ mpesa_receipt: 'UE4A11B2ZZ' }), () => []],
    ['by phone', () => ({ phone: WAITS }), () => [third, first]],
    ['by a phone that nobody has', () => ({ phone: '254799999999' }), () => []],
    ['by idempotency key', () => ({ idempotency_key: 'order-1' }), () => [first]],
    ['by a key that nobody has', () => ({ idempotency_key: 'order-0' }), () => []],
    [
      'from an instant on, which is in',
      () => ({ created_from: '2026-05-04T08:00:00.500Z' }),
      () => [third, second],
    ],
    ['before an instant, which is out', () => ({ created_to: '2026-05-04T08:00:00.500Z' }), () => [first]],
    [
      'in a time, in another zone',
      () => ({ created_from: '2026-05-04T11:00:00+03:00', created_to: '2026-05-04T12:00:00+03:00' }),
      () => [second, first],
    ],
    [
      'in a time without payments',
      () => ({ created_from: '2026-05-04T09:00:01Z', created_to: '2026-06-01T00:00:00Z' }),
      () => [],
    ],
    ['by reference and phone', () => ({ reference: 'INV 1/é', phone: WAITS }), () => [first]],
    ['by reference and status', () => ({ reference: 'INV 1/é', status: 'successful' }), () => [second]],
    [
      'by reference and time',
      () => ({ reference: 'INV 1/é', created_to: '2026-05-04T08:00:00.1Z' }),
      () => [first],
    ],
    ['by phone and time', () => ({ phone: WAITS, created_from: '2026-05-04T08:00:00.1Z' }), () => [third]],
    [
      'by receipt and a status that it has not',
      () => ({ mpesa_receipt: receipt, status: 'failed' }),
      () => [],
    ],
    ['by receipt and key', () => ({ mpesa_receipt: receipt, idempotency_key: 'order-2' }), () => [second]],
    [
      'by receipt and the key of another',
      () => ({ mpesa_receipt: receipt, idempotency_key: 'order-1' }),
      () => [],
    ],
    [
      'by key and time',
      () => ({ idempotency_key: 'order-1', created_from: '2026-05-04T08:00:01Z' }),
      () => [],
    ],
    ['by what was missed', () => ({ delivery: 'undelivered' }), () => [second]],
    ['by what was missed of a phone', () => ({ delivery: 'undelivered', phone: WAITS }), () => []],
    [
      'by what was missed of a reference',
      () => ({ delivery: 'undelivered', reference: 'INV 1/é' }),
      () => [second],
    ],
    [
      'by everything at once',
      () => ({
        reference: 'INV 1/é',
        phone: PAYS,
        mpesa_receipt: receipt,
        idempotency_key: 'order-2',
        status: 'successful',
        delivery: 'undelivered',
        created_from: '2026-05-04T08:00:00Z',
        created_to: '2026-05-04T08:00:01Z',
        before: third,
        limit: 1,
      }),
      () => [second],
    ],
  ]
  it.each(rows)('%s', async (_what, query, expected) => {
    expect(await find(shop, query())).toEqual({ ids: expected(), next: null })
  })

  it.each<[string, () => Query]>([
    ['reference', () => ({ reference: 'INV 1/é' })],
    ['receipt', () => ({ mpesa_receipt: receipt })],
    ['phone', () => ({ phone: PAYS })],
    ['key', () => ({ idempotency_key: 'order-1' })],
    ['time', () => ({ created_from: '2026-05-04T08:00:00Z' })],
    ['delivery', () => ({ delivery: 'undelivered' })],
  ])('by %s another partner finds its own, and none of ours', async (_what, query) => {
    const { ids } = await find(stranger, query())
    expect(ids.filter((id) => id !== strangers)).toEqual([])
    const nobodys = await addPartner(test.database, { name: 'Nobody' })
    expect(await find(nobodys, query())).toEqual({ ids: [], next: null })
  })

  it.each<[string, Query]>([
    ['reference', { reference: 'INV 1/é' }],
    ['time', { created_from: '2026-05-04T08:00:00Z', created_to: '2026-05-04T08:00:01Z' }],
    ['phone', { phone: WAITS }],
  ])('by %s in pages that meet without a gap', async (_what, query) => {
    const whole = await find(shop, query)
    const page = await find(shop, { ...query, limit: 1 })
    expect(page).toEqual({ ids: whole.ids.slice(0, 1), next: whole.ids[0] })
    const rest = await find(shop, { ...query, limit: 1, before: page.next ?? 0n })
    expect(rest).toEqual({ ids: whole.ids.slice(1), next: null })
  })
})

describe('over REST', () => {
  it('a + that was not percent-encoded is the sign of a zone', async () => {
    const answer = await ask(
      test,
      `GET ${TRANSACTIONS}?created_from=2026-05-04T12:00:00+03:00`,
      headersOf(shop),
    )
    expect(JSON.parse(answer.body).transactions).toMatchObject([{ transaction_id: Number(third) }])
  })

  const INSTANT =
    'must be an instant with its zone, like "2025-05-22T08:00:00Z" or "2025-05-22T11:00:00+03:00"'
  it.each([
    ['reference=', 'reference must be a string of 1 to 64 printable characters'],
    ['reference=a&reference=b', 'reference must be given only once'],
    ['mpesa_receipt=', 'mpesa_receipt must be a receipt of M-PESA, like "RKT7S9T2UB"'],
    ['mpesa_receipt=a%20b', 'mpesa_receipt must be a receipt of M-PESA, like "RKT7S9T2UB"'],
    [
      'phone=0712345678',
      'phone must be a string of 12 digits that starts with 2547 or 2541, like "2547XXXXXXXX"',
    ],
    [
      'phone=254000000000',
      'phone must be a string of 12 digits that starts with 2547 or 2541, like "2547XXXXXXXX"',
    ],
    [
      'idempotency_key=',
      'idempotency_key must be 1 to 255 printable ASCII characters in one header line, like a UUID',
    ],
    ['created_from=2026-05-04', `created_from ${INSTANT}`],
    ['created_from=2026-05-04T08:00:00', `created_from ${INSTANT}`],
    ['created_from=2026-02-30T08:00:00Z', `created_from ${INSTANT}`],
    ['created_to=yesterday', `created_to ${INSTANT}`],
    [
      'created_from=2026-05-04T08:00:00Z&created_to=2026-05-04T08:00:00Z',
      'created_to must be after the beginning of the time that is asked for',
    ],
    [
      'receipt=RKT7S9T2UB',
      'receipt is no parameter of this request: known are limit, before, status, delivery, reference, mpesa_receipt, phone, idempotency_key, created_from, created_to',
    ],
  ])('%s is refused', async (query, message) => {
    await expectRefusal(test, request(`GET ${TRANSACTIONS}?${query}`, headersOf(shop)), 400, message)
  })
})

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('over %s', (protocol) => {
  const refusalOf = async (asked: object, headers?: Record<string, string>): Promise<ConnectError> => {
    const key = headers ?? { 'x-api-key': shop.apiKey }
    const failed = clientOver(protocol).listPayments(asked, { headers: key })
    return ConnectError.from(
      await failed.then(
        () => new Error('it was answered'),
        (reason: unknown) => reason,
      ),
    )
  }

  it.each<[what: string, asked: object, message: string]>([
    ['an empty reference', { reference: '' }, 'reference must be a string of 1 to 64 printable characters'],
    ['a blank receipt', { receipt: ' ' }, 'receipt must be a receipt of M-PESA, like "RKT7S9T2UB"'],
    [
      'a number in local form',
      { msisdn: '0712345678' },
      'msisdn must be a string of 12 digits that starts with 2547 or 2541, like "2547XXXXXXXX"',
    ],
    [
      'a key with a line break',
      { idempotencyKey: 'a\n' },
      'idempotency_key must be 1 to 255 printable ASCII characters in one header line, like a UUID',
    ],
    [
      'an instant after the year 9999',
      { createdFrom: { seconds: 253_402_300_800n } },
      'created_from must be an instant of the years 1 to 9999',
    ],
    [
      'a time that ends where it begins',
      { createdFrom: { seconds: 7n }, createdTo: { seconds: 7n } },
      'created_to must be after the beginning of the time that is asked for',
    ],
    ['a partner 0', { partnerId: 0n }, 'partner_id must be a positive partner id'],
    ['a payment 0', { before: 0n }, 'before must be a positive payment id'],
  ])('%s is refused', async (_what, asked, message) => {
    const error = await refusalOf(asked)
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, message])
  })

  it('a service finds everybody’s, and one partner’s by its id', async () => {
    const callers = await makeCallers(test)
    const headers = { authorization: callers['payments:read']?.['authorization'] ?? '' }
    const found = (asked: object) => overRpc(protocol, headers, asked).then(({ ids }) => ids)
    expect(await found({ reference: 'INV 1/é' })).toEqual([strangers, second, first])
    expect(await found({ msisdn: PAYS })).toEqual([strangers, second])
    expect(await found({ idempotencyKey: 'order-1' })).toEqual([strangers, first])
    expect(await found({ receipt })).toEqual([second])
    expect(await found({ partnerId: shop.partnerId })).toEqual(all)
    expect(await found({ partnerId: stranger.partnerId, reference: 'INV 1/é' })).toEqual([strangers])
    expect(await found({ partnerId: 999_999n })).toEqual([])
    expect(await found({ createdTo: timestampFromDate(new Date('2026-05-04T08:30:00Z')) })).toEqual([
      second,
      first,
    ])
    const page = await overRpc(protocol, headers, { reference: 'INV 1/é', pageSize: 2 })
    expect(page).toEqual({ ids: [strangers, second], next: second })
    expect(await found({ reference: 'INV 1/é', before: second })).toEqual([first])
    const inItsName = { ...headers, 'x-partner-id': String(shop.partnerId) }
    expect((await overRpc(protocol, inItsName, { reference: 'INV 1/é' })).ids).toEqual([second, first])
    const error = await refusalOf({ partnerId: stranger.partnerId }, inItsName)
    expect(error.rawMessage).toBe('partner_id must be that of the partner in whose name you ask, or left out')
  })

  it('a partner may name itself, and nobody else', async () => {
    const headers = { 'x-api-key': shop.apiKey }
    expect((await overRpc(protocol, headers, { partnerId: shop.partnerId })).ids).toEqual(all)
    const error = await refusalOf({ partnerId: stranger.partnerId })
    expect(error.rawMessage).toBe('partner_id must be that of the partner in whose name you ask, or left out')
  })
})
