import { createHash } from 'node:crypto'
import {
  type Arbitrary,
  constantFrom,
  double,
  jsonValue,
  nat,
  oneof,
  option,
  record,
  string,
  stringMatching,
  tuple,
  uint8Array,
} from 'fast-check'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFacade, paymentBody, push, type TestFacade } from '../facade/harness.ts'
import samples from '../fixtures/daraja-samples.json' with { type: 'json' }
import { callbackTokenOf } from '../support/callback-url.ts'
import { eventually } from '../support/eventually.ts'
import { checkMany } from './fuzz.ts'

const BODIES = 5_000
const PAYMENTS = 40

const hostile = oneof(
  constantFrom<unknown>(
    0,
    '0',
    1,
    1032,
    '1032',
    -1,
    2 ** 53,
    1e308,
    '',
    '\u0000',
    '\ud800',
    null,
    true,
    [],
    {},
  ),
  string({ unit: 'binary' }),
  jsonValue(),
  double(),
)

/** A callback of today's form with anything in its places. */
const shaped = record(
  {
    MerchantRequestID: hostile,
    CheckoutRequestID: hostile,
    ResultCode: hostile,
    ResultDesc: hostile,
    CallbackMetadata: oneof(
      hostile,
      tuple(hostile, hostile, hostile).map(([receipt, date, phone]) => ({
        Item: [
          { Name: 'MpesaReceiptNumber', Value: receipt },
          { Name: 'TransactionDate', Value: date },
          { Name: 'PhoneNumber', Value: phone },
        ],
      })),
    ),
  },
  { requiredKeys: ['ResultCode'] },
).map((stkCallback) => JSON.stringify({ Body: { stkCallback } }))

/** A real body with one piece replaced by another. */
const mutated = tuple(constantFrom(...samples), nat(), nat(20), string({ unit: 'binary', maxLength: 6 })).map(
  ([{ body }, at, removed, added]) => {
    const start = at % (body.length + 1)
    return body.slice(0, start) + added + body.slice(start + removed)
  },
)

const body = oneof(
  { arbitrary: shaped.map((text) => Buffer.from(text)), weight: 4 },
  { arbitrary: mutated.map((text) => Buffer.from(text)), weight: 3 },
  { arbitrary: constantFrom(...samples).map((sample) => Buffer.from(sample.body)), weight: 1 },
  { arbitrary: jsonValue().map((value) => Buffer.from(JSON.stringify(value))), weight: 1 },
  { arbitrary: uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
)

/** Which payment's token it carries; null: a token that nobody issued. */
const payment = option(nat(PAYMENTS - 1), { freq: 4 })

const strangeToken = oneof(
  stringMatching(/^[0-9a-f]{48}$/),
  string({ unit: 'binary', minLength: 1 })
    .filter((text) => text.isWellFormed() && !/^\.\.?$/.test(text))
    .map(encodeURIComponent),
)

const contentType = constantFrom(
  'application/json;charset=UTF-8',
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  ';',
  '',
)

type Fuzzed = { body: Buffer; payment: number | null; strangeToken: string; contentType: string }

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('POST /callbacks/stk/{token} with whatever comes', () => {
  let test: TestFacade
  let pool: Pool
  let tokens: string[]
  const sent: string[] = []

  beforeAll(async () => {
    test = await openFacade()
    pool = new Pool(test.url, { connections: 16 })
    const answers = await Promise.all(Array.from({ length: PAYMENTS }, () => push(test, paymentBody())))
    const ids = answers.map((answer) => BigInt(JSON.parse(answer.body).transaction_id))
    tokens = await Promise.all(ids.map(async (id) => (await callbackTokenOf(test, id)).tail))
  })
  afterAll(async () => {
    await pool.close()
    await test.stop()
  })

  const check = async ({ body, payment, strangeToken, contentType }: Fuzzed): Promise<void> => {
    const token = payment === null ? strangeToken : tokens[payment]
    const answer = await pool.request({
      method: 'POST',
      path: `/callbacks/stk/${token}`,
      headers: { 'content-type': contentType },
      body,
    })
    expect([answer.statusCode, await answer.body.text()]).toEqual([
      200,
      '{"ResultCode":0,"ResultDesc":"Success"}',
    ])
    sent.push(digest(body))
  }

  it(`acknowledges ${BODIES} callbacks, and stores each byte for byte`, async () => {
    const fuzzed: Arbitrary<Fuzzed> = record({ body, payment, strangeToken, contentType })
    await checkMany({
      arbitrary: fuzzed,
      count: BODIES,
      show: (one) => JSON.stringify({ ...one, body: one.body.toString('latin1') }),
      check,
    })
    const stored = await test.database.selectFrom('callbacks').select('body').execute()
    expect(stored.map((row) => digest(row.body)).sort()).toEqual(sent.sort())
  }, 120_000)

  it('interprets what can be understood, and leaves nothing half done', async () => {
    await eventually(async () => {
      expect(await test.database.selectFrom('to_interpret').selectAll().execute()).toEqual([])
    })
    const payments = await test.database.selectFrom('payments').select(['id', 'state']).execute()
    const settled = payments.filter(({ state }) => state === 'successful' || state === 'failed')
    const delivered = await test.database.selectFrom('deliveries').select(['payment_id']).execute()
    expect(payments).toHaveLength(PAYMENTS)
    expect(settled.length).toBeGreaterThan(0)
    expect(new Set(delivered.map((delivery) => delivery.payment_id))).toEqual(
      new Set(settled.map(({ id }) => id)),
    )
    // What does not fit what was known, such as a failure of a paid payment, is rightly reported; nothing else may be.
    const failures = test.logLines.filter((line) => /"level":"(error|fatal)"/.test(line))
    expect(failures.filter((line) => !line.includes('"event":"payment_finding"'))).toEqual([])
  }, 60_000)
})
