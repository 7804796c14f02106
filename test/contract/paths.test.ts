import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  exchange,
  openFacade,
  PRODUCTION,
  partnerHeaders,
  request,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { expectRefusal } from './expect-refusal.ts'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
})
afterAll(() => test.stop())

describe('a path', () => {
  it.each([
    'GET /',
    'GET /api/v1/mpesa',
    `POST ${STK_PUSH}/`,
    `POST ${STK_PUSH.toUpperCase()}`,
    `POST /${STK_PUSH}`,
    'GET /api/v1/mpesa/transactions/1/2',
    'POST /callbacks/stk/a/b',
    'OPTIONS *',
    'GET /metrics',
    'GET /readyz',
  ])('%s leads nowhere', async (line) => {
    await expectRefusal(test, request(line), 404, 'there is nothing at this path')
  })

  it('with broken percent-encoding is refused', async () => {
    await expectRefusal(test, request('GET /%zz'), 400, 'the path is not valid: check its percent-encoding')
  })

  it.each([
    [`GET ${STK_PUSH}`, 'POST'],
    [`DELETE ${STK_PUSH}?x=1`, 'POST'],
    [`OPTIONS ${STK_PUSH}`, 'POST'],
    [`PROPFIND ${STK_PUSH}`, 'POST'],
    ['POST /api/v1/mpesa/transactions', 'GET, HEAD'],
    ['PATCH /api/v1/mpesa/transactions/1', 'GET, HEAD'],
    ['GET /callbacks/stk/abc', 'POST'],
    ['POST /healthz', 'GET, HEAD'],
    ['PUT /docs', 'GET, HEAD'],
    ['TRACE /api/v1/openapi.json', 'GET, HEAD'],
  ])('%s is refused, and Allow says %s', async (line, allow) => {
    const bytes = requestWithBody(line, ['Content-Type: ;;;'], 'x'.repeat(17_000))
    const headers = await expectRefusal(test, bytes, 405, `this path answers to ${allow} only`)
    expect(headers['allow']).toBe(allow)
  })

  it.each(['?x=1', '?amount=900', '?%zz'])(
    'of stk_push takes its payment as its body says, whatever query %s is behind it',
    async (query) => {
      const body = JSON.stringify({
        phone: '254712345678',
        amount: 150,
        callback_url: 'https://shop.co.ke/callback',
      })
      const came = await exchange(
        test.httpPort,
        requestWithBody(`POST ${STK_PUSH}${query}`, partnerHeaders(test), body),
      )
      expect(came).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    },
  )

  it('answers HEAD as GET, without the body', async () => {
    const came = await exchange(test.httpPort, request('HEAD /healthz', ['X-Request-Id: mine']))
    expect(came).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(came).toMatch(/\r\nx-request-id: mine\r\n/)
    expect(came.endsWith('\r\n\r\n')).toBe(true)
    const refused = await exchange(test.httpPort, request(`HEAD ${STK_PUSH}`))
    expect(refused).toMatch(/^HTTP\/1\.1 405 [^]*\r\nx-request-id: [^]*\r\n\r\n$/)
  })
})

describe('a parameter', () => {
  const STATUS = 'status must be one of accepted, submitting, submitted, unconfirmed, successful, failed'
  const DELIVERY = 'delivery must be undelivered, or left out'
  const LIMIT = 'limit must be a whole number from 1 to 100'
  const BEFORE = 'before must be a transaction_id, a positive whole number'
  const ID = 'transaction_id must be a positive whole number'
  const KNOWN =
    'limit, before, status, delivery, reference, mpesa_receipt, phone, idempotency_key, created_from, created_to'
  const ENCODING = 'the query is not valid: check its percent-encoding, which is of UTF-8'
  const once = (name: string): string => `${name} must be given only once`
  const unknown = (name: string): string => `${name} is no parameter of this request: known are ${KNOWN}`
  it.each([
    ['/1.0', ID],
    ['/0', ID],
    ['/-1', ID],
    ['/01', ID],
    ['/1e3', ID],
    ['/abc', ID],
    ['/%20', ID],
    ['/9223372036854775808', ID],
    [`/${'9'.repeat(4000)}`, ID],
    ['?limit=0', LIMIT],
    ['?limit=101', LIMIT],
    ['?limit=', LIMIT],
    ['?limit=ten', LIMIT],
    ['?limit=1.5', LIMIT],
    ['?limit=99999999999', LIMIT],
    ['?limit=1&limit=2', once('limit')],
    ['?before=0', BEFORE],
    ['?before=-5', BEFORE],
    ['?before=', BEFORE],
    ['?before=9223372036854775808', BEFORE],
    ['?before=5&before=6', once('before')],
    ['?status=', STATUS],
    ['?status=paid', STATUS],
    ['?status=Failed', STATUS],
    ['?status=__proto__', STATUS],
    ['?status=failed&status=accepted', once('status')],
    ['?delivery=', DELIVERY],
    ['?delivery=dead', DELIVERY],
    ['?delivery=undelivered&delivery=undelivered', once('delivery')],
    ['?reference=caf%e9', ENCODING],
    ['?reference=10%', ENCODING],
    ['?limit=1&%zz=1', ENCODING],
    ['/1?%ff', ENCODING],
    ['?colour=red', unknown('colour')],
    ['?limit=1&colour=red&colour=blue', unknown('colour')],
    ['?Limit=1', unknown('Limit')],
    ['?__proto__=1', unknown('__proto__')],
    ['?toString', unknown('toString')],
    [`?${'x'.repeat(200)}=1`, unknown('x'.repeat(64))],
    ['/1?fields=status', 'fields is no parameter of this request: it has none'],
  ])('%s is refused', async (path, message) => {
    await expectRefusal(
      test,
      request(`GET /api/v1/mpesa/transactions${path}`, partnerHeaders(test)),
      400,
      message,
    )
  })
})
