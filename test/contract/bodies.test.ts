import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  countPayments,
  errorBody,
  exchange,
  openFacade,
  PRODUCTION,
  parseAnswers,
  partnerHeaders,
  paymentBody,
  push,
  request,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { expectRefusal } from './expect-refusal.ts'

const NOT_JSON = 'the body must be valid JSON in UTF-8'
const NOT_OBJECT = 'the body must be a JSON object, like {"phone":"254712345678",…}'
const NOT_DECLARED = 'the body must be JSON: send it with Content-Type: application/json'
const TOO_LARGE = 'the body must be at most 16384 bytes'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
})
afterAll(() => test.stop())

const pushed = (body: string | Buffer, headers: readonly string[] = []) =>
  requestWithBody(`POST ${STK_PUSH}`, [...partnerHeaders(test), ...headers], body)

describe('a body', () => {
  const deep = 16 * 1024
  const rows: [what: string, body: string | Buffer, message: string][] = [
    ['empty', '', NOT_JSON],
    ['blank', ' ', NOT_JSON],
    ['not JSON', 'phone=254712345678', NOT_JSON],
    ['cut short', paymentBody().slice(0, -1), NOT_JSON],
    ['with something after it', `${paymentBody()}x`, NOT_JSON],
    ['twice', paymentBody() + paymentBody(), NOT_JSON],
    ['with a byte order mark', `\ufeff${paymentBody()}`, NOT_JSON],
    ['in UTF-16', Buffer.from(paymentBody(), 'utf16le'), NOT_JSON],
    [
      'with a byte that is no UTF-8',
      Buffer.from(paymentBody({ reference: 'caf\u00e9' }), 'latin1'),
      NOT_JSON,
    ],
    ['with half a surrogate in UTF-8', Buffer.from('{"reference":"\xed\xa0\x80"}', 'latin1'), NOT_JSON],
    ['with a comment', `/* */${paymentBody()}`, NOT_JSON],
    ['with NaN', '{"amount":NaN}', NOT_JSON],
    ['nested as deep as it can be, not closed', '['.repeat(deep), NOT_JSON],
    ['nested as deep as it can be', '['.repeat(deep / 2) + ']'.repeat(deep / 2), NOT_OBJECT],
    ['null', 'null', NOT_OBJECT],
    ['a string', '"callback_url"', NOT_OBJECT],
    ['a number', '1', NOT_OBJECT],
    ['an array', `[${paymentBody()}]`, NOT_OBJECT],
    ['an empty object', '{}', 'callback_url is required'],
    [
      'with objects nested deep',
      `{"x":${'{"x":'.repeat(2000)}1${'}'.repeat(2001)}`,
      'callback_url is required',
    ],
    ['with its fields behind __proto__', `{"__proto__":${paymentBody()}}`, 'callback_url is required'],
    ['with a field twice', paymentBody().replace('{', '{"amount":1,'), 'amount must be given only once'],
    [
      'with a field twice, once in disguise',
      paymentBody().replace('{', '{"call\\u0062ack_url":null,'),
      'callback_url must be given only once',
    ],
  ]
  it.each(rows)('%s is refused', async (_what, body, message) => {
    await expectRefusal(test, pushed(body), 400, message)
  })

  it('may hold a name twice where it means nothing', async () => {
    const body = paymentBody({ reference: '"amount":' }).replace(
      '{',
      '{"x":{"amount":1,"phone":2},"y":1,"y":2,',
    )
    expect((await push(test, body)).status).toBe(200)
  })

  it('leaves nobody with properties that are not theirs', async () => {
    await push(test, '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')
    expect({}).not.toHaveProperty('polluted')
  })

  it('of exactly 16 KiB is read', async () => {
    const body = paymentBody({ filler: '' })
    const exact = paymentBody({ filler: 'x'.repeat(16_384 - body.length) })
    expect(Buffer.byteLength(exact)).toBe(16_384)
    expect((await push(test, exact)).status).toBe(200)
    await expectRefusal(test, pushed(`${exact} `), 413, TOO_LARGE)
  })
})

describe('what a body is declared as', () => {
  const declared = (headers: readonly string[], body: string) =>
    requestWithBody(`POST ${STK_PUSH}`, [`X-API-KEY: ${test.apiKey}`, ...headers], body)

  it.each([
    ['nothing', []],
    ['text', ['Content-Type: text/plain']],
    ['a form', ['Content-Type: application/x-www-form-urlencoded']],
    ['something like JSON', ['Content-Type: application/vnd.api+json']],
    ['nonsense', ['Content-Type: ;;;']],
    ['two types', ['Content-Type: text/plain, application/json']],
  ])('%s is refused', async (_what, headers) => {
    await expectRefusal(test, declared(headers, paymentBody()), 415, NOT_DECLARED)
  })

  it('is judged before its size and its contents', async () => {
    await expectRefusal(test, declared(['Content-Type: text/plain'], 'x'.repeat(17_000)), 415, NOT_DECLARED)
  })

  it('may be JSON in any spelling', async () => {
    const spellings = [
      'application/json',
      'Application/JSON',
      'application/json; charset=utf-8',
      'application/json;x=y',
    ]
    for (const type of spellings) {
      const [answer] = parseAnswers(
        await exchange(test.httpPort, declared([`Content-Type: ${type}`], paymentBody())),
      )
      expect([type, answer?.status]).toEqual([type, 200])
    }
  })

  it('must not be compressed', async () => {
    const headers = ['Content-Type: application/json', 'Content-Encoding: gzip']
    await expectRefusal(
      test,
      declared(headers, paymentBody()),
      415,
      'the body must not be compressed: leave Content-Encoding out',
    )
  })

  it('without a body is refused', async () => {
    await expectRefusal(test, request(`POST ${STK_PUSH}`, [`X-API-KEY: ${test.apiKey}`]), 415, NOT_DECLARED)
    await expectRefusal(test, requestWithBody(`POST ${STK_PUSH}`, partnerHeaders(test), ''), 400, NOT_JSON)
  })
})

describe('a body of which no header says how long it is', () => {
  it.each([STK_PUSH, '/api/v1/mpesa/transactions/resend'])(
    'is refused by %s, which says so',
    async (path) => {
      const before = await countPayments(test)
      const came = await exchange(test.httpPort, request(`POST ${path}`, partnerHeaders(test), paymentBody()))
      expect(parseAnswers(came)).toMatchObject([
        { status: 400, body: errorBody('the body has no length: send it with Content-Length, or in chunks') },
      ])
      expect(await countPayments(test)).toBe(before)
    },
  )

  it('is none, where a path asks for none', async () => {
    const [answer] = parseAnswers(
      await exchange(
        test.httpPort,
        request('POST /api/v1/mpesa/transactions/999999/cancel', partnerHeaders(test)),
      ),
    )
    expect(answer?.status).toBe(404)
  })
})

describe('a body in chunks', () => {
  const chunked = (chunks: readonly string[], headers: readonly string[] = []) =>
    request(
      `POST ${STK_PUSH}`,
      [...partnerHeaders(test), 'Transfer-Encoding: chunked', ...headers],
      [...chunks, ''].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join(''),
    )

  it('is read', async () => {
    const body = paymentBody()
    const [answer] = parseAnswers(await exchange(test.httpPort, chunked([body.slice(0, 9), body.slice(9)])))
    expect(answer?.status).toBe(200)
  })

  it('over the limit is refused', async () => {
    await expectRefusal(test, chunked(['x'.repeat(16_000), 'x'.repeat(385)]), 413, TOO_LARGE)
  })

  it('that are no chunks is refused', async () => {
    const headers = [...partnerHeaders(test), 'Transfer-Encoding: chunked']
    await expectRefusal(
      test,
      request(`POST ${STK_PUSH}`, headers, 'nonsense\r\n'),
      400,
      'the request is not valid HTTP',
    )
  })

  it('with a length beside it is refused, for two readers could disagree', async () => {
    await expectRefusal(
      test,
      chunked([paymentBody()], ['Content-Length: 5']),
      400,
      'the request is not valid HTTP',
    )
  })
})

describe('a client that asks first', () => {
  it('is asked to go on, and answered', async () => {
    const came = await exchange(test.httpPort, pushed(paymentBody(), ['Expect: 100-continue']))
    expect(came.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n')).toBe(true)
  })

  it('with an expectation that nobody knows is answered as ever', async () => {
    const answer = await push(test, paymentBody(), ['Expect: the-best'])
    expect(answer.status).toBe(200)
  })
})
