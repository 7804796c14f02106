import { isUtf8 } from 'node:buffer'
import {
  type Arbitrary,
  array,
  constantFrom,
  dictionary,
  double,
  integer,
  jsonValue,
  nat,
  oneof,
  option,
  record,
  string,
  tuple,
  uint8Array,
} from 'fast-check'
import { sql } from 'kysely'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parsePaymentRequest } from '../../src/core/request/payment-request.ts'
import {
  countPayments,
  openFacade,
  PRODUCTION,
  paymentBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { checkMany } from './fuzz.ts'

const BODIES = 5_000

/** Values that are right, nearly right, or right elsewhere. */
const interesting = constantFrom<unknown>(
  '254700000022',
  '254110000000',
  150,
  1,
  250_000,
  'https://shop.co.ke/cb',
  'https://[2606:4700:4700::1111]/cb',
  'INV-1',
  '',
  null,
  true,
  -1,
  0,
  0.5,
  250_001,
  2 ** 31,
  1e308,
  'https://localhost/',
  '\u0000',
  '\ud800',
  '__proto__',
  [],
  {},
)

const anything = oneof(interesting, interesting, string({ unit: 'binary' }), jsonValue(), double())

const FIELDS = ['phone', 'amount', 'reference', 'callback_url'] as const

/** A right body with up to three fields replaced, left out or added. */
const nearlyRight = dictionary(
  oneof(constantFrom<string>(...FIELDS), constantFrom('__proto__', 'constructor', 'toString'), string()),
  anything,
  { maxKeys: 3, noNullPrototype: false },
).map((changes) => {
  const kept = Object.entries(JSON.parse(paymentBody())).filter(([name]) => !Object.hasOwn(changes, name))
  const members = [...kept, ...Object.entries(changes)]
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value) ?? 'null'}`).join(',')}}`
})

/** A text with one piece replaced by another. */
const mutated = tuple(
  nearlyRight,
  nat(),
  nat(12),
  oneof(string({ unit: 'binary', maxLength: 4 }), nearlyRight),
).map(([text, at, removed, added]) => {
  const start = at % (text.length + 1)
  return text.slice(0, start) + added + text.slice(start + removed)
})

const body = oneof(
  { arbitrary: nearlyRight.map((text) => Buffer.from(text)), weight: 5 },
  { arbitrary: mutated.map((text) => Buffer.from(text)), weight: 3 },
  { arbitrary: jsonValue().map((value) => Buffer.from(JSON.stringify(value))), weight: 1 },
  { arbitrary: uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
)

/** What a client can put into a header line: no control characters. */
const headerText = array(oneof(integer({ min: 0x20, max: 0x7e }), integer({ min: 0xa0, max: 0xff })), {
  maxLength: 20,
}).map((codes) => String.fromCharCode(...codes))

const idempotencyKey = option(oneof(constantFrom('a', 'b', 'c', 'd'), headerText), { freq: 2 })

type Fuzzed = { body: Buffer; key: string | null }

/** What the request asks for by the core's own rules, read without the facade; null for what is no object of JSON. */
const judge = ({ body, key }: Fuzzed): 'accept' | 'refuse' => {
  if (!isUtf8(body)) return 'refuse'
  try {
    const given = JSON.parse(body.toString())
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'refuse'
    const own = (name: string): unknown => (Object.hasOwn(given, name) ? given[name] : undefined)
    if (typeof own('phone') !== 'string' || typeof own('amount') !== 'number') return 'refuse'
    if (typeof own('callback_url') !== 'string') return 'refuse'
    const reference = own('reference') ?? ''
    if (typeof reference !== 'string') return 'refuse'
    const parsed = parsePaymentRequest(
      {
        msisdn: String(own('phone')),
        amountKes: Number(own('amount')),
        callbackUrl: String(own('callback_url')),
        reference: reference === '' ? undefined : reference,
        idempotencyKey: key?.replaceAll(/^[ \t]+|[ \t]+$/g, ''),
        metadata: {},
      },
      { policy: PRODUCTION },
    )
    return 'request' in parsed ? 'accept' : 'refuse'
  } catch {
    return 'refuse'
  }
}

describe('POST stk_push with whatever comes', () => {
  let test: TestFacade
  let pool: Pool
  const accepted = new Set<number>()

  beforeAll(async () => {
    test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
    pool = new Pool(test.url, { connections: 16 })
  })
  afterAll(async () => {
    await pool.close()
    await test.stop()
  })

  const send = async ({ body, key }: Fuzzed) => {
    const answer = await pool.request({
      method: 'POST',
      path: STK_PUSH,
      headers: {
        'x-api-key': test.apiKey,
        'content-type': 'application/json',
        ...(key !== null && { 'x-idempotency-key': key }),
      },
      body,
    })
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() }
  }

  const logOf = (answer: Awaited<ReturnType<typeof send>>): string =>
    test.logLines.filter((line) => line.includes(String(answer.headers['x-request-id']))).join('')

  /** Holds an answer against the contract and against what the request asked for. */
  const check = (fuzzed: Fuzzed, answer: Awaited<ReturnType<typeof send>>): void => {
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{24}-[0-9a-z]+$/)
    const answered = JSON.parse(answer.body)
    expect(answer.status, logOf(answer)).toBeLessThan(500)
    if (answer.status === 200) {
      expect(judge(fuzzed)).toBe('accept')
      expect(answer.body).toMatch(
        /^(\{"status":"success","transaction_id":[1-9]\d*,"message":"STK Push accepted for processing"\}|\{"status":"duplicate","transaction_id":[1-9]\d*,"message":"Duplicate request \(idempotency\)"\})$/,
      )
      if (answered.status === 'success') accepted.add(answered.transaction_id)
      else expect(fuzzed.key).not.toBeNull()
      return
    }
    expect(answer.body).toBe(JSON.stringify({ status: 'error', message: answered.message }))
    expect(answered.message).toMatch(
      /^(the body must be |X-Idempotency-Key must be |(callback_url|phone|amount|reference) (is required$|must )|this idempotency key was used )/,
    )
    if (String(answered.message).endsWith(' must be given only once')) return
    expect([answer.status, judge(fuzzed)]).toEqual(
      answer.status === 422 ? [422, 'accept'] : [answer.status === 413 ? 413 : 400, 'refuse'],
    )
  }

  it(`answers ${BODIES} bodies well, and stores exactly what it accepted`, async () => {
    const fuzzed: Arbitrary<Fuzzed> = record({ body, key: idempotencyKey })
    await checkMany({
      arbitrary: fuzzed,
      count: BODIES,
      show: ({ body, key }) => `key ${JSON.stringify(key)}, body ${JSON.stringify(body.toString('latin1'))}`,
      check: async (one) => check(one, await send(one)),
    })
    expect(accepted.size).toBeGreaterThan(100)
  }, 120_000)

  it('has written nothing by halves', async () => {
    expect(await countPayments(test)).toBe(accepted.size)
    const { rows } = await sql<{ unsubmitted: bigint; orphaned: bigint }>`
      SELECT
        (SELECT count(*) FROM payments WHERE state = 'accepted'
          AND NOT EXISTS (SELECT FROM to_submit WHERE payment_id = id)) AS unsubmitted,
        (SELECT count(*) FROM idempotency_keys
          WHERE NOT EXISTS (SELECT FROM payments WHERE id = payment_id)) AS orphaned
    `.execute(test.database)
    expect(rows).toEqual([{ unsubmitted: 0n, orphaned: 0n }])
    const failures = test.logLines.filter((line) =>
      /"level":"(error|fatal)"|"request_unavailable"/.test(line),
    )
    expect(failures).toEqual([])
  })
})
