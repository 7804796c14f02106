import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  exchange,
  openFacade,
  PRODUCTION,
  parseAnswers,
  partnerHeaders,
  paymentBody,
  push,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'

/** The body that the guide's curl sends. */
const GUIDE_BODY = `{
"phone":"254712345678",
"amount":150,
"reference":"INV-2025-001",
"callback_url":"https://yourapp.example.com/payment_callback"
}`

/** What every answer says to browsers and caches. */
const GUARDS = 'cache-control: no-store\r\nx-content-type-options: nosniff\r\n'

/** An answer's bytes without what changes from answer to answer. */
const stable = (bytes: string): string =>
  bytes.replace(/^(x-request-id|Date): .*\r\n/gim, '').replace(/"transaction_id":\d+/, '"transaction_id":102')

describe("the guide's three answers, byte for byte", () => {
  let test: TestFacade
  beforeAll(async () => {
    test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
  })
  afterAll(() => test.stop())

  const send = (body: string, key: string) =>
    exchange(
      test.httpPort,
      requestWithBody(`POST ${STK_PUSH}`, [...partnerHeaders(test), `X-Idempotency-Key: ${key}`], body),
    )

  it('accepts', async () => {
    expect(stable(await send(GUIDE_BODY, 'accepts'))).toBe(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n${GUARDS}content-length: 84\r\nConnection: close\r\n\r\n` +
        '{"status":"success","transaction_id":102,"message":"STK Push accepted for processing"}',
    )
  })

  it('answers a duplicate, with the first id', async () => {
    const [first] = parseAnswers(await send(GUIDE_BODY, 'duplicate'))
    const again = await send(paymentBody({ phone: '254712345678' }), 'duplicate')
    expect(stable(again)).toBe(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n${GUARDS}content-length: 85\r\nConnection: close\r\n\r\n` +
        '{"status":"duplicate","transaction_id":102,"message":"Duplicate request (idempotency)"}',
    )
    expect(JSON.parse(parseAnswers(again)[0]?.body ?? '')).toHaveProperty(
      'transaction_id',
      JSON.parse(first?.body ?? '').transaction_id,
    )
  })

  it('requires callback_url', async () => {
    const answer = await send('{"phone":"254712345678","amount":150}', 'requires')
    expect(stable(answer)).toBe(
      `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\n${GUARDS}content-length: 55\r\nConnection: close\r\n\r\n` +
        '{"status":"error","message":"callback_url is required"}',
    )
  })

  it('accepts the same request twice without a key, as two payments', async () => {
    const [first, second] = [await push(test, GUIDE_BODY), await push(test, GUIDE_BODY)]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(JSON.parse(second.body).transaction_id).toBeGreaterThan(JSON.parse(first.body).transaction_id)
  })

  it('does not mind key order, white space, unknown fields, 150.0 and a null reference', async () => {
    const written = [
      '{"callback_url":"https://shop.co.ke/cb","phone":"254712345678","amount":150}',
      ' { "amount" : 150.0 , "phone":"254712345678",\n"callback_url":"https://shop.co.ke/cb", "reference":null, "x":[{}] }\r\n',
      '{"amount":1.5e2,"phone":"\\u0032\\u00354712345678","callback_url":"https://shop.co.ke/cb","reference":""}',
      '{"__proto__":{"amount":7},"constructor":1,"amount":150,"phone":"254712345678","callback_url":"https://shop.co.ke/cb"}',
    ]
    const statuses = []
    for (const body of written) {
      statuses.push(JSON.parse((await push(test, body, ['X-Idempotency-Key: same'])).body).status)
    }
    expect(statuses).toEqual(['success', 'duplicate', 'duplicate', 'duplicate'])
  })

  it('makes one payment of 200 identical requests at once over 20 connections', async () => {
    const pool = new Pool(test.url, { connections: 20 })
    const ask = async (): Promise<{ status: string; transaction_id: number }> => {
      const answer = await pool.request({
        method: 'POST',
        path: STK_PUSH,
        headers: {
          'content-type': 'application/json',
          'x-api-key': test.apiKey,
          'x-idempotency-key': 'at once',
        },
        body: GUIDE_BODY,
      })
      return answer.body.json() as Promise<{ status: string; transaction_id: number }>
    }
    const answers = await Promise.all(Array.from({ length: 200 }, ask))
    await pool.close()
    expect(answers.filter(({ status }) => status === 'success')).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 'duplicate')).toHaveLength(199)
    expect(new Set(answers.map((answer) => answer.transaction_id)).size).toBe(1)
  })
})
