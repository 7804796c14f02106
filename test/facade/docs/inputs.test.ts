import {
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  double,
  integer,
  jsonValue,
  nat,
  oneof,
  string,
} from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  ask,
  openFacade,
  PRODUCTION,
  partnerHeaders,
  paymentBody,
  push,
  type TestFacade,
} from '../harness.ts'
import { type Documented, operationsOf, parseDocument, toSchema } from './documented.ts'

let test: TestFacade
let document: Documented
beforeAll(async () => {
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
  document = parseDocument((await ask(test, 'GET /api/v1/openapi.json')).body)
})
afterAll(() => test.stop())

const RUNS = 200

/** What a parameter's text may be for a reader of the document beside a text: a number that is written as in JSON. */
const valueOf = (text: string): unknown => (String(Number(text)) === text ? Number(text) : text)

/** Texts that are right for some parameter, nearly right, or wrong. */
const text = oneof(
  constantFrom('1', '0', '-1', '1.5', '01', '100', '101', '1e2', ' 1', '', 'failed', 'Failed', 'undelivered'),
  integer({ min: -5, max: 200 }).map(String),
  nat().map(String),
  string(),
)

describe('what the document says of an input is what the server does with it', () => {
  it('for every parameter of a path or query: what it describes is taken, everything else refused by name', async () => {
    const parameters = operationsOf(document).flatMap(({ method, path, operation }) =>
      operation.parameters
        .filter((parameter) => parameter.in !== 'header')
        .map((parameter) => ({ method: method.toUpperCase(), path, parameter })),
    )
    expect(parameters.map(({ parameter }) => parameter.name)).toContain('transaction_id')
    for (const { method, path, parameter } of parameters) {
      const { name, schema } = parameter
      const described = toSchema(document, schema)
      await assert(
        asyncProperty(oneof(text, constantFrom(...schema.examples.map(String))), async (given) => {
          const encoded = encodeURIComponent(given)
          const inPath = parameter.in === 'path'
          // An empty part of a path is another path.
          if (inPath && given === '') return
          const url = inPath ? path.replace(`{${name}}`, encoded) : `${path}?${name}=${encoded}`
          const { status, body } = await ask(test, `${method} ${url}`, partnerHeaders(test))
          const fits = [given, valueOf(given)].some((value) => described.safeParse(value).success)
          const { message = '' } = JSON.parse(body)
          expect([given, status === 400 && String(message).startsWith(`${name} must be `)]).toEqual([
            given,
            !fits,
          ])
        }),
        { numRuns: RUNS },
      )
    }
  }, 60_000)

  it('for a payment: nothing is accepted that it does not describe, and its bounds are those that are kept', async () => {
    const described = toSchema(document, { $ref: '#/components/schemas/StkPushRequest' })
    const { properties } = z
      .looseObject({ properties: z.record(z.string(), z.looseObject({})) })
      .parse(document.components.schemas['StkPushRequest'])
    const value = oneof(
      constantFrom<unknown>('254712345678', 150, 'https://shop.co.ke/cb', { order: '17' }),
      constantFrom<unknown>(
        '254712345678',
        '254112345678',
        '0712345678',
        1,
        250_000,
        250_001,
        0,
        1.5,
        '1',
        null,
      ),
      constantFrom('x'.repeat(64), 'x'.repeat(65), 'https://shop.co.ke/cb', 'http://shop.co.ke/cb', ''),
      integer({ min: -10, max: 300_000 }),
      double(),
      string(),
      array(constant(1), { maxLength: 2 }),
      jsonValue(),
    )
    const accepted = new Set<string>()
    const field = constantFrom(...Object.keys(properties), 'more')
    await assert(
      asyncProperty(field, value, async (name, given) => {
        const body = paymentBody({ [name]: given })
        const { status } = await push(test, body)
        if (status === 200) accepted.add(name)
        const fits = described.safeParse(JSON.parse(body)).success
        if (status === 200) expect(fits, body).toBe(true)
        // Beyond its schema a callback_url is judged by where it leads, and a reference by its characters.
        if (name === 'phone' || name === 'amount' || name === 'more')
          expect([body, fits]).toEqual([body, status === 200])
      }),
      { numRuns: 6 * RUNS },
    )
    expect(accepted).toEqual(new Set([...Object.keys(properties), 'more']))
  }, 60_000)

  it('for the bounds of a payment’s texts: one at its bound is taken, and one beyond it refused', async () => {
    const { properties } = z
      .looseObject({ properties: z.record(z.string(), z.looseObject({ maxLength: z.number().optional() })) })
      .parse(document.components.schemas['StkPushRequest'])
    const reference = 'x'.repeat(properties['reference']?.maxLength ?? Number.NaN)
    const url = 'https://shop.co.ke/'.padEnd(properties['callback_url']?.maxLength ?? Number.NaN, 'x')
    expect((await push(test, paymentBody({ reference, callback_url: url }))).status).toBe(200)
    for (const beyond of [{ reference: `${reference}x` }, { callback_url: `${url}x` }])
      expect((await push(test, paymentBody(beyond))).status).toBe(400)
  })
})
