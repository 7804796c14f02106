import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { renderBody } from '../../../src/core/outbox/enqueue.ts'
import { createFacade } from '../../../src/facade/server.ts'
import { ERROR_CLASSES } from '../../../src/values/error-class.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptUntouched } from '../../support/payments.ts'
import {
  type Answer,
  ask,
  openFacade,
  partnerHeaders,
  paymentBody,
  push,
  type TestFacade,
} from '../harness.ts'
import { type Documented, operationsOf, parseDocument, toSchema } from './documented.ts'

/** Routes that are not for partners' programs: Daraja's, a load balancer's, and what describes the others. */
const UNDESCRIBED = [
  'POST /callbacks/stk/:token',
  'GET /healthz',
  'GET /api/v1/openapi.json',
  'GET /docs',
  'GET /docs/reference-:digest.js',
  'GET /docs/guide',
  'GET /docs/guide.md',
  'GET /docs/simulator',
  'GET /llms.txt',
  'GET /docs/verify/:name',
]

const STK_PUSH = '/api/v1/mpesa/stk_push'
const LIST = '/api/v1/mpesa/transactions'
const ONE = `${LIST}/{transaction_id}`
const MANY = `${LIST}/resend`
const STATUS = '/api/v1/status'

let test: TestFacade
let document: Documented
beforeAll(async () => {
  test = await openFacade()
  const answer = await ask(test, 'GET /api/v1/openapi.json')
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
  document = parseDocument(answer.body)
})
afterAll(() => test.stop())

const openServer = (deliveryScheduleMs: readonly number[], publicUrl = 'https://pay.shop.co.ke') =>
  createFacade({ ...test.clients, log: test.options.log, randomBytes, publicUrl, deliveryScheduleMs })

/** Holds an answer against what the document says of it. */
const expectDescribed = (path: string, method: string, answer: Answer): void => {
  const response = document.paths[path]?.[method]?.responses[answer.status]
  expect(response, `${method} ${path} ${answer.status}`).toBeDefined()
  for (const name of Object.keys(response?.headers ?? {}))
    expect(answer.headers).toHaveProperty(name.toLowerCase())
  const content = response?.content['application/json']
  expect(answer.headers['content-type']).toContain('application/json')
  expect(toSchema(document, content?.schema ?? {}).safeParse(JSON.parse(answer.body)).error).toBeUndefined()
}

describe('the OpenAPI document', () => {
  it('has every route that is the partners’, and no other', async () => {
    const server = openServer([0])
    await server.ready()
    const described = operationsOf(document).map(({ method, path }) => ({
      method: method.toUpperCase(),
      url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
    }))
    for (const { method, url } of described)
      expect(server.hasRoute({ method, url }), `${method} ${url}`).toBe(true)
    const routes = server.printRoutes({ commonPrefix: false }).match(/\(.*\)/g) ?? []
    const methods = routes.flatMap((list) => list.match(/[A-Z]+/g) ?? []).filter((name) => name !== 'HEAD')
    expect(methods).toHaveLength(described.length + UNDESCRIBED.length)
    await server.close()
  })

  it('has no reference that leads nowhere, and no schema that nothing refers to', () => {
    const text = JSON.stringify(document)
    const referred = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name))
    expect(referred).toEqual(new Set(Object.keys(document.components.schemas)))
  })

  it('describes every answer that can be provoked', async () => {
    const json = partnerHeaders(test)
    const key = ['X-Idempotency-Key: described']
    const accepted = await push(test, paymentBody({ phone: '254700000000' }), key)
    const { transaction_id } = JSON.parse(accepted.body)
    await eventually(async () =>
      expect((await ask(test, `GET ${LIST}/${transaction_id}`, json)).body).toContain(
        '"status":"successful"',
      ),
    )
    const provoked: [path: string, method: string, answer: Answer | Promise<Answer>][] = [
      [STK_PUSH, 'post', accepted],
      [STK_PUSH, 'post', push(test, paymentBody({ phone: '254700000000' }), key)],
      [STK_PUSH, 'post', push(test, '{}')],
      [STK_PUSH, 'post', push(test, paymentBody(), key)],
      [STK_PUSH, 'post', push(test, 'x'.repeat(17_000))],
      [STK_PUSH, 'post', ask(test, `POST ${STK_PUSH}`, [`X-API-KEY: ${test.apiKey}`], 'x')],
      [STK_PUSH, 'post', ask(test, `POST ${STK_PUSH}`)],
      [LIST, 'get', ask(test, `GET ${LIST}`, json)],
      [LIST, 'get', ask(test, `GET ${LIST}?limit=0`, json)],
      [LIST, 'get', ask(test, `GET ${LIST}`)],
      [ONE, 'get', ask(test, `GET ${LIST}/${transaction_id}`, json)],
      [ONE, 'get', ask(test, `GET ${LIST}/0`, json)],
      [ONE, 'get', ask(test, `GET ${LIST}/999999`, json)],
      [ONE, 'get', ask(test, `GET ${LIST}/1`)],
      [MANY, 'post', ask(test, `POST ${MANY}`, json, '{"dry_run":true}')],
      [MANY, 'post', ask(test, `POST ${MANY}`, json, '{}')],
      [MANY, 'post', ask(test, `POST ${MANY}`, json, '{"since":1}')],
      [MANY, 'post', ask(test, `POST ${MANY}`, json, `{"reference":"${'x'.repeat(17_000)}"}`)],
      [MANY, 'post', ask(test, `POST ${MANY}`, [`X-API-KEY: ${test.apiKey}`], '{}')],
      [MANY, 'post', ask(test, `POST ${MANY}`)],
      [STATUS, 'get', ask(test, `GET ${STATUS}`)],
      [STATUS, 'get', ask(test, `GET ${STATUS}?verbose=1`)],
    ]
    const open = await acceptUntouched(test.database, test.partnerId)
    const cancelled = await acceptUntouched(test.database, test.partnerId)
    const toCancel = `${LIST}/${cancelled}/cancel`
    provoked.push([`${ONE}/cancel`, 'post', await ask(test, `POST ${toCancel}`, json)])
    for (const [verb, method, rightId] of [
      ['cancel', 'post', cancelled],
      ['resend', 'post', cancelled],
      ['deliveries', 'get', cancelled],
    ] as const) {
      const refusedId = { cancel: transaction_id, resend: open, deliveries: 0 }[verb]
      for (const id of [rightId, refusedId, 0, 999_999]) {
        const line = `${method.toUpperCase()} ${LIST}/${id}/${verb}`
        provoked.push([`${ONE}/${verb}`, method, ask(test, line, json)])
      }
      provoked.push([`${ONE}/${verb}`, method, ask(test, `${method.toUpperCase()} ${LIST}/1/${verb}`)])
      if (method === 'get') continue
      const line = `POST ${LIST}/${rightId}/${verb}`
      provoked.push(
        [`${ONE}/${verb}`, method, ask(test, line, json, 'x'.repeat(17_000))],
        [`${ONE}/${verb}`, method, ask(test, line, [`X-API-KEY: ${test.apiKey}`], 'x')],
      )
    }
    const seen = new Set<string>()
    for (const [path, method, answer] of provoked) {
      const given = await answer
      expectDescribed(path, method, given)
      seen.add(`${method} ${path} ${given.status}`)
    }
    // 403, 429, 500 and 503 are tested where they are made; they look the same everywhere.
    const all = operationsOf(document).flatMap(({ method, path, operation }) =>
      Object.keys(operation.responses).map((status) => `${method} ${path} ${status}`),
    )
    expect(all.filter((line) => !/ (403|429|500|503)$/.test(line)).sort()).toEqual([...seen].sort())
  })

  it('says how long to wait wherever trying again later makes sense', () => {
    for (const { operation } of operationsOf(document)) {
      // How the gateway is doing, anybody may ask at any time.
      const isForAnybody = operation.operationId === 'getStatus'
      for (const status of isForAnybody ? ['503'] : ['429', '503'])
        expect(Object.keys(operation.responses[status]?.headers ?? {})).toContain('Retry-After')
      expect(operation.security).toEqual(isForAnybody ? [] : [{ ApiKey: [] }])
    }
  })

  it('names every class of error that an attempt can have', () => {
    const attempt = JSON.stringify(document.components.schemas['Attempt'])
    for (const name of ERROR_CLASSES) expect(attempt).toContain(`\`${name}\``)
  })

  it('refuses answers that are not so', () => {
    const ofTransaction = toSchema(document, { $ref: '#/components/schemas/Accepted' })
    const right = { status: 'success', transaction_id: 1, message: 'STK Push accepted for processing' }
    expect(ofTransaction.safeParse(right).success).toBe(true)
    for (const wrong of [
      { ...right, more: 1 },
      { ...right, status: 'duplicate' },
      { ...right, transaction_id: '1' },
    ])
      expect(ofTransaction.safeParse(wrong).success).toBe(false)
  })

  it('describes what partners are POSTed, in the order in which they are POSTed it', () => {
    const body = renderBody({
      id: 102n,
      partner_id: 1n,
      callback_url: 'https://yourapp.example.com/payment_callback',
      msisdn: '254712345678',
      amount_kes: 150,
      merchant_request_id: null,
      checkout_request_id: null,
      result_code: '1032',
      result_desc: 'Request cancelled by user.',
      receipt: null,
      transaction_date: new Date(0),
      state: 'failed',
    })
    const schema = document.components.schemas['Callback']
    expect(Object.keys(z.record(z.string(), z.unknown()).parse(schema?.['properties']))).toEqual(
      Object.keys(JSON.parse(body)),
    )
    const described = toSchema(document, { $ref: '#/components/schemas/Callback' })
    expect(described.safeParse(JSON.parse(body)).error).toBeUndefined()
    expect(document.webhooks.outcome.post.parameters.map(({ name }) => name)).toEqual([
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
      'webhook-attempt',
      'X-Gateway-Test',
    ])
  })

  it('names the pauses between attempts, and the server, as they are set', async () => {
    expect(JSON.stringify(document)).toContain(
      'is tried again after 2 s, 15 min, and 24 h, each counted from',
    )
    const server = openServer([0], 'https://pay.shop.co.ke/gateway')
    const { body } = await server.inject('/api/v1/openapi.json')
    expect(body).toContain('a redirect too, is not tried again.')
    expect(parseDocument(body).servers.map(({ url }) => url)).toEqual(['https://pay.shop.co.ke/gateway'])
    await server.close()
  })
})
