import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import {
  ask,
  countPayments,
  openFacade,
  partnerHeaders,
  paymentBody,
  push,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { eventually } from '../support/eventually.ts'
import { readBodies } from '../support/payments.ts'
import { paymentRequest } from '../support/requests.ts'
import { startTransports, type Transports } from '../support/transports.ts'
import { expectRefusal } from './expect-refusal.ts'

// What a request may say beside the guide's four fields: `metadata` and `expires_in`.

let test: TestFacade
let transports: Transports
beforeAll(async () => {
  test = await openFacade()
  transports = await startTransports(test)
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

const PAYS = '254700000000'

const requested = async (overrides: Record<string, unknown>, headers: readonly string[] = []) =>
  JSON.parse((await push(test, paymentBody(overrides), headers)).body)

const read = async (id: number) =>
  JSON.parse((await ask(test, `GET /api/v1/mpesa/transactions/${id}`, partnerHeaders(test))).body).transaction

/** How long after its creation a payment expires, seconds. */
const lifeOf = (transaction: { created_at: string; expires_at: string }): number =>
  (Date.parse(transaction.expires_at) - Date.parse(transaction.created_at)) / 1000

const TEN = Object.fromEntries(Array.from({ length: 10 }, (_one, index) => [`k${index}`, String(index)]))

const VALUE = 'must be a string of at most 500 visible characters, without line breaks'
const NAMES =
  'metadata must have names of 1 to 40 letters, digits, "_", "." and "-" that begin with a letter or a digit, not '

describe('metadata', () => {
  it('comes back as it was given in every read, and is in no callback and no line of the log', async () => {
    const metadata = { order: 'A-17', 'till.no': '3', Mteja: 'Wanjikũ 🧾', empty: '', __x: undefined }
    const { transaction_id: id } = await requested({ phone: PAYS, metadata })
    const expected = { order: 'A-17', 'till.no': '3', Mteja: 'Wanjikũ 🧾', empty: '' }
    await eventually(async () =>
      expect(await read(id)).toMatchObject({ status: 'successful', metadata: expected }),
    )
    const list = await ask(test, 'GET /api/v1/mpesa/transactions?limit=1', partnerHeaders(test))
    expect(JSON.parse(list.body).transactions).toMatchObject([{ transaction_id: id, metadata: expected }])
    const bodies = await readBodies(test.database, BigInt(id))
    expect(bodies.map((body) => Object.keys(body))).toEqual([expect.not.arrayContaining(['metadata'])])
    expect(bodies.map((body) => Object.keys(body).length)).toEqual([10])
    expect(JSON.stringify(bodies) + test.logLines.join('')).not.toContain('Wanjik')
  })

  it.each([{}, null, undefined])('of %j is none', async (metadata) => {
    const { transaction_id: id } = await requested({ metadata })
    expect(await read(id)).toMatchObject({ metadata: null })
  })

  it('takes ten pairs, a name of 40 characters and a value of 500', async () => {
    for (const metadata of [TEN, { ['n'.repeat(40)]: '🧾'.repeat(500) }]) {
      const { transaction_id: id } = await requested({ metadata })
      expect(await read(id)).toMatchObject({ metadata })
    }
  })

  const rows: [what: string, metadata: unknown, message: string][] = [
    ['a text', 'order 17', 'metadata must be an object of strings, like {"order":"17"}'],
    ['a list', ['17'], 'metadata must be an object of strings, like {"order":"17"}'],
    ['with a number', { order: 17 }, `metadata.order ${VALUE}`],
    ['with null', { order: '17', note: null }, `metadata.note ${VALUE}`],
    ['with an object', { order: {} }, `metadata.order ${VALUE}`],
    ['with a value too long', { order: 'x'.repeat(501) }, `metadata.order ${VALUE}`],
    ['with a line break', { order: 'a\nb' }, `metadata.order ${VALUE}`],
    ['with a NUL', { order: 'a\u0000' }, `metadata.order ${VALUE}`],
    ['with what turns the direction of writing', { order: 'a\u202e' }, `metadata.order ${VALUE}`],
    ['with half a surrogate', { order: '\ud83d' }, `metadata.order ${VALUE}`],
    ['with eleven pairs', { ...TEN, more: 'x' }, 'metadata must have at most 10 pairs'],
    ['with an empty name', { '': 'x' }, `${NAMES}""`],
    ['with a name too long', { ['n'.repeat(41)]: 'x' }, `${NAMES}"${'n'.repeat(41)}"`],
    ['with a blank in a name', { 'order no': 'x' }, `${NAMES}"order no"`],
    ['with a comma in a name', { 'a,b': 1 }, `${NAMES}"a,b"`],
    ['with a line break in a name', { 'a\r\nb': 1 }, `${NAMES}"a\\\\r\\\\nb"`],
    ['with a name that begins with a dot', { '.order': 'x' }, `${NAMES}".order"`],
  ]
  it.each(rows)('%s is refused, and nothing is stored', async (_what, metadata, message) => {
    const bytes = requestWithBody(`POST ${STK_PUSH}`, partnerHeaders(test), paymentBody({ metadata }))
    await expectRefusal(test, bytes, 400, message)
  })

  it('with the name __proto__, or given twice, is refused', async () => {
    const with_ = (text: string) => paymentBody({ metadata: 'HERE' }).replace('"HERE"', text)
    const bytes = (text: string) => requestWithBody(`POST ${STK_PUSH}`, partnerHeaders(test), with_(text))
    await expectRefusal(test, bytes('{"__proto__":"x"}'), 400, `${NAMES}"__proto__"`)
    await expectRefusal(test, bytes('{},"metadata":{"a":"b"}'), 400, 'metadata must be given only once')
  })
})

describe('expires_in', () => {
  it.each([10, 86_400])('of %i says how long the payer may be prompted', async (expires_in) => {
    const { transaction_id: id } = await requested({ expires_in })
    expect(lifeOf(await read(id))).toBe(expires_in)
  })

  it.each([undefined, null])('of %s is what the setting says', async (expires_in) => {
    const { transaction_id: id } = await requested({ expires_in })
    expect(lifeOf(await read(id))).toBe(120)
  })

  it.each([9, 86_401, 0, -1, 10.5, '60', true, [], {}, 1e300])(
    'of %j is refused, and nothing is stored',
    async (expires_in) => {
      const bytes = requestWithBody(`POST ${STK_PUSH}`, partnerHeaders(test), paymentBody({ expires_in }))
      await expectRefusal(test, bytes, 400, 'expires_in must be a whole number of seconds from 10 to 86400')
    },
  )
})

describe('a repetition under the same key', () => {
  const KEY = (name: string) => [`X-Idempotency-Key: ${name}`]

  it('with other metadata and expires_in is a duplicate, and those of the first stay', async () => {
    const first = await requested({ metadata: { attempt: '1' }, expires_in: 600 }, KEY('again'))
    const again = await requested({ metadata: { attempt: '2' }, expires_in: 590 }, KEY('again'))
    expect(again).toEqual({ ...first, status: 'duplicate', message: 'Duplicate request (idempotency)' })
    const bare = await requested({}, KEY('again'))
    expect(bare.status).toBe('duplicate')
    const transaction = await read(first.transaction_id)
    expect([transaction.metadata, lifeOf(transaction)]).toEqual([{ attempt: '1' }, 600])
  })

  it.each([9, 0, -3, 4.5])(
    'with %j of expires_in left is a duplicate, and a new key is refused',
    async (left) => {
      const first = await requested({ expires_in: 600 }, KEY(`${left} left`))
      const again = await requested({ expires_in: left }, KEY(`${left} left`))
      expect(again).toEqual({ ...first, status: 'duplicate', message: 'Duplicate request (idempotency)' })
      expect(await requested({ expires_in: left }, KEY(`${left} anew`))).toMatchObject({ status: 'error' })
    },
  )

  it('with bad metadata is refused, as the first would have been', async () => {
    await requested({}, KEY('bad'))
    const bytes = requestWithBody(
      `POST ${STK_PUSH}`,
      [...partnerHeaders(test), ...KEY('bad')],
      paymentBody({ metadata: 1 }),
    )
    await expectRefusal(test, bytes, 400, 'metadata must be an object of strings, like {"order":"17"}')
  })
})

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('over %s', (protocol) => {
  const client = () => {
    const transport = transports.over[protocol]
    if (!transport) throw new Error(`no protocol ${protocol}`)
    return createClient(PaymentService, transport)
  }
  const options = () => ({ headers: test.headers })

  it('metadata and expires_in_seconds come back, and a failure with its reason', async () => {
    const asked = paymentRequest({
      msisdn: '254700000002',
      metadata: { order: '17' },
      expiresInSeconds: 3600,
    })
    const { paymentId } = await client().requestPayment(asked, options())
    await eventually(async () => {
      const { payment } = await client().getPayment({ paymentId }, options())
      expect(payment).toMatchObject({
        metadata: { order: '17' },
        failure: {
          reason: 3,
          worthRetrying: false,
          message: { sw: 'Umeghairi ombi kwenye simu yako. Hakuna kilicholipwa.' },
        },
      })
      expect(Number((payment?.expiresAt?.seconds ?? 0n) - (payment?.createdAt?.seconds ?? 0n))).toBe(3600)
    })
  })

  it.each<[string, object, string]>([
    ['eleven pairs', { metadata: { ...TEN, more: 'x' } }, 'metadata must have at most 10 pairs'],
    ['a value too long', { metadata: { order: 'x'.repeat(501) } }, `metadata.order ${VALUE}`],
    ['a wrong name', { metadata: { 'a b': '' } }, `${NAMES}"a b"`],
    [
      'a life too short',
      { expiresInSeconds: 9 },
      'expires_in_seconds must be a whole number of seconds from 10 to 86400',
    ],
    [
      'a life of nothing',
      { expiresInSeconds: 0 },
      'expires_in_seconds must be a whole number of seconds from 10 to 86400',
    ],
  ])('%s is refused, and nothing is stored', async (_what, overrides, message) => {
    const before = await countPayments(test)
    const failed = client().requestPayment(paymentRequest(overrides), options())
    const error = ConnectError.from(
      await failed.then(
        () => null,
        (reason: unknown) => reason,
      ),
    )
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, message])
    expect(await countPayments(test)).toBe(before)
  })
})
