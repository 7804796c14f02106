import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { renderBody } from '../../../src/core/outbox/enqueue.ts'
import { createFacade } from '../../../src/facade/server.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type Answer,
  ask,
  openFacade,
  partnerHeaders,
  paymentBody,
  push,
  type TestFacade,
} from '../harness.ts'

const described = z.looseObject({ schema: z.record(z.string(), z.unknown()) })

const documentSchema = z.looseObject({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        tags: z.array(z.string()),
        parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })),
        responses: z.record(
          z.string(),
          z.looseObject({
            headers: z.record(z.string(), z.unknown()),
            content: z.record(z.string(), described),
          }),
        ),
      }),
    ),
  ),
  components: z.looseObject({ schemas: z.record(z.string(), z.looseObject({})) }),
})

type Document = z.infer<typeof documentSchema>

let test: TestFacade
let document: Document
beforeAll(async () => {
  test = await openFacade()
  const answer = await ask(test, 'GET /api/v1/openapi.json')
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
  document = documentSchema.parse(JSON.parse(answer.body))
})
afterAll(() => test.stop())

/** A schema of the document that stands by itself. */
const toSchema = (schema: Record<string, unknown>) => {
  const whole = { ...schema, $defs: document.components.schemas }
  return z.fromJSONSchema(JSON.parse(JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/')))
}

/** Holds an answer against what the document says of it. */
const expectDescribed = (path: string, method: string, answer: Answer): void => {
  const response = document.paths[path]?.[method]?.responses[answer.status]
  expect(response, `${method} ${path} ${answer.status}`).toBeDefined()
  for (const name of Object.keys(response?.headers ?? {})) {
    expect(answer.headers).toHaveProperty(name.toLowerCase())
  }
  const [media = '', content] = Object.entries(response?.content ?? {})[0] ?? []
  expect(answer.headers['content-type']).toContain(media)
  if (media === 'application/json') {
    expect(toSchema(content?.schema ?? {}).safeParse(JSON.parse(answer.body)).error).toBeUndefined()
  }
}

describe('the OpenAPI document', () => {
  it('has every route of the server, and no other', async () => {
    const server = createFacade({
      ...test.clients,
      log: test.options.log,
      randomBytes,
      deliveryScheduleMs: [0],
    })
    await server.ready()
    const routes = server.printRoutes({ commonPrefix: false }).match(/\(.*\)/g) ?? []
    expect(routes).toHaveLength(Object.keys(document.paths).length)
    for (const [path, operations] of Object.entries(document.paths)) {
      const url = path.replaceAll(/\{(\w+)\}/g, ':$1')
      for (const method of Object.keys(operations)) {
        expect(server.hasRoute({ method: method.toUpperCase(), url }), `${method} ${url}`).toBe(true)
      }
      const allow = (await ask(test, `OPTIONS ${path.replaceAll(/[{}]/g, '')}`)).headers['allow']
      expect(allow?.replace(', HEAD', '').toLowerCase()).toBe(Object.keys(operations).join(', '))
    }
    await server.close()
  })

  it('has no reference that leads nowhere, and no schema that nothing refers to', () => {
    const text = JSON.stringify(document)
    const referred = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name))
    expect(referred).toEqual(new Set(Object.keys(document.components.schemas)))
  })

  it('describes every answer that can be provoked', async () => {
    const stkPush = '/api/v1/mpesa/stk_push'
    const list = '/api/v1/mpesa/transactions'
    const one = `${list}/{transaction_id}`
    const callback = '/callbacks/stk/{token}'
    const json = partnerHeaders(test)
    const key = ['X-Idempotency-Key: described']
    const accepted = await push(test, paymentBody({ phone: '254700000000' }), key)
    const { transaction_id } = JSON.parse(accepted.body)
    await eventually(async () =>
      expect((await ask(test, `GET ${list}/${transaction_id}`, json)).body).toContain(
        '"status":"successful"',
      ),
    )

    const provoked: [path: string, method: string, answer: Answer | Promise<Answer>][] = [
      [stkPush, 'post', accepted],
      [stkPush, 'post', push(test, paymentBody({ phone: '254700000000' }), key)],
      [stkPush, 'post', push(test, '{}')],
      [stkPush, 'post', push(test, paymentBody(), key)],
      [stkPush, 'post', push(test, 'x'.repeat(17_000))],
      [stkPush, 'post', ask(test, `POST ${stkPush}`, [`X-API-KEY: ${test.apiKey}`], 'x')],
      [stkPush, 'post', ask(test, `POST ${stkPush}`)],
      [list, 'get', ask(test, `GET ${list}`, json)],
      [list, 'get', ask(test, `GET ${list}?limit=0`, json)],
      [list, 'get', ask(test, `GET ${list}`)],
      [one, 'get', ask(test, `GET ${list}/${transaction_id}`, json)],
      [one, 'get', ask(test, `GET ${list}/0`, json)],
      [one, 'get', ask(test, `GET ${list}/999999`, json)],
      [one, 'get', ask(test, `GET ${list}/1`)],
      [callback, 'post', ask(test, 'POST /callbacks/stk/x', [], '{}')],
      [callback, 'post', ask(test, 'POST /callbacks/stk/x', [], Buffer.alloc(65_537))],
      ['/healthz', 'get', ask(test, 'GET /healthz')],
      ['/docs', 'get', ask(test, 'GET /docs')],
      ['/api/v1/openapi.json', 'get', ask(test, 'GET /api/v1/openapi.json')],
    ]
    const seen = new Set<string>()
    for (const [path, method, answer] of provoked) {
      const given = await answer
      expectDescribed(path, method, given)
      seen.add(`${method} ${path} ${given.status}`)
    }
    // 403, 429, 500 and 503 are tested where they are made; they look the same everywhere.
    const all = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { responses }]) =>
        Object.keys(responses).map((status) => `${method} ${path} ${status}`),
      ),
    )
    expect(all.filter((line) => !/ (403|429|500|503)$/.test(line)).sort()).toEqual([...seen].sort())
  })

  it('refuses answers that are not so', () => {
    const ofTransaction = toSchema({ $ref: '#/components/schemas/Accepted' })
    const right = { status: 'success', transaction_id: 1, message: 'STK Push accepted for processing' }
    expect(ofTransaction.safeParse(right).success).toBe(true)
    for (const wrong of [
      { ...right, more: 1 },
      { ...right, status: 'duplicate' },
      { ...right, transaction_id: '1' },
    ]) {
      expect(ofTransaction.safeParse(wrong).success).toBe(false)
    }
  })

  it('describes what partners are answered, in the order in which they are answered it', () => {
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
    expect(
      toSchema({ $ref: '#/components/schemas/Callback' }).safeParse(JSON.parse(body)).error,
    ).toBeUndefined()
  })

  it('names the bounds that are kept: a field at its bound is accepted, and one beyond it refused', async () => {
    const { properties } = z
      .looseObject({
        properties: z.record(
          z.string(),
          z.looseObject({ maximum: z.number().optional(), maxLength: z.number().optional() }),
        ),
      })
      .parse(document.components.schemas['StkPushRequest'])
    const amount = properties['amount']?.maximum ?? Number.NaN
    const reference = 'x'.repeat(properties['reference']?.maxLength ?? Number.NaN)
    const url = 'https://shop.co.ke/'.padEnd(properties['callback_url']?.maxLength ?? Number.NaN, 'x')
    const atTheBound = { amount, reference, callback_url: url }
    expect((await push(test, paymentBody(atTheBound))).status).toBe(200)
    const beyond = { amount: amount + 1, reference: `${reference}x`, callback_url: `${url}x` }
    for (const field of Object.entries(beyond))
      expect((await push(test, paymentBody(Object.fromEntries([field])))).status).toBe(400)
  })

  it('names the pauses between attempts as they are set', async () => {
    expect(JSON.stringify(document)).toContain(
      'is tried again after 2 s, 15 min, and 24 h, each counted from',
    )
    const log = test.options.log
    const server = createFacade({ ...test.clients, log, randomBytes, deliveryScheduleMs: [0] })
    expect((await server.inject('/api/v1/openapi.json')).body).toContain(
      'a redirect too, is not tried again.',
    )
    await server.close()
  })
})

describe('the page', () => {
  it('is HTML that loads nothing and runs nothing', async () => {
    const { headers, body } = await ask(test, 'GET /docs')
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-content-type-options': 'nosniff',
    })
    expect(body).toMatch(/^<!doctype html>/)
    expect(body).not.toMatch(/<(script|link|img|iframe)|\bsrc=|@import|url\(|\son\w+=/i)
    for (const [, target] of body.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^\//)
  })

  it('shows partners all they can call, every parameter, field and status', async () => {
    const { body } = await ask(test, 'GET /docs')
    const shown = new Set([...body.matchAll(/<code>([^<]*)<\/code>/g)].map(([, text]) => text))
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        if (!operation.tags.includes('partner')) {
          expect(shown).not.toContain(`${method.toUpperCase()} ${path}`)
          continue
        }
        expect(shown).toContain(`${method.toUpperCase()} ${path}`)
        for (const { name } of operation.parameters) expect(shown).toContain(name)
        for (const status of Object.keys(operation.responses)) expect(shown).toContain(status)
      }
    }
    for (const name of ['StkPushRequest', 'Transaction', 'Callback']) {
      const fields = z
        .record(z.string(), z.unknown())
        .parse(document.components.schemas[name]?.['properties'])
      for (const field of Object.keys(fields)) expect(shown).toContain(field)
    }
  })
})
