import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptUntouched } from '../../support/payments.ts'
import { ask, openFacade, PRODUCTION, partnerHeaders, push, type TestFacade } from '../harness.ts'
import { type Documented, operationsOf, parseDocument, toSchema } from './documented.ts'

let test: TestFacade
let document: Documented
beforeAll(async () => {
  test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
  document = parseDocument((await ask(test, 'GET /api/v1/openapi.json')).body)
})
afterAll(() => test.stop())

/** Every body that the document shows, with the schema that it shows it for. */
const bodiesOf = () => {
  const operations = [
    ...operationsOf(document).map(({ operation }) => operation),
    document.webhooks.outcome.post,
  ]
  return operations.flatMap(({ operationId, requestBody, responses }) => {
    const answers = Object.entries(responses).map(([status, { content }]) => ({
      name: `${operationId} ${status}`,
      content,
    }))
    return answers.concat({ name: `${operationId} body`, content: requestBody?.content ?? {} })
  })
}

describe('the examples of the OpenAPI document', () => {
  it('stand beside every body, and are what its schema says', () => {
    for (const { name, content } of bodiesOf()) {
      for (const { schema, examples } of Object.values(content)) {
        expect(Object.keys(examples), name).not.toEqual([])
        for (const { value } of Object.values(examples))
          expect(toSchema(document, schema).safeParse(value).error, name).toBeUndefined()
      }
    }
  })

  it('stand beside every parameter, header and schema, and are what it says', () => {
    const operations = operationsOf(document).map(({ operation }) => operation)
    for (const operation of [...operations, document.webhooks.outcome.post]) {
      for (const { name, schema } of operation.parameters) {
        expect(schema.examples, name).not.toEqual([])
        for (const value of schema.examples)
          expect(toSchema(document, schema).safeParse(value).error, name).toBeUndefined()
      }
    }
    for (const [name, schema] of Object.entries(document.components.schemas))
      expect(schema, name).toHaveProperty('description')
  })

  it('of requests are taken by the server, and answered as the document shows', async () => {
    for (const { method, path, operation } of operationsOf(document)) {
      const bodies = Object.values(operation.requestBody?.content['application/json']?.examples ?? {})
      const query = operation.parameters
        .filter((parameter) => parameter.in === 'query')
        .map(({ name, schema }) => `${name}=${encodeURIComponent(String(schema.examples[0]))}`)
      const headers = operation.parameters
        .filter((parameter) => parameter.in === 'header')
        .map(({ name, schema }) => `${name}: ${String(schema.examples[0])}`)
      const url = await fillIn(path, operation.operationId)
      const target = query.length === 0 ? url : `${url}?${query.join('&')}`
      for (const body of bodies.length === 0 ? [undefined] : bodies) {
        const line = `${method.toUpperCase()} ${target}`
        const text = body === undefined ? undefined : JSON.stringify(body.value)
        const answer = await ask(test, line, [...partnerHeaders(test), ...headers], text)
        expect(String(answer.status), `${line} ${answer.body}`).toMatch(/^20[02]$/)
        const { schema } = operation.responses[answer.status]?.content['application/json'] ?? {}
        if (schema === undefined) throw new Error(`${line} is answered ${answer.status}`)
        expect(toSchema(document, schema).safeParse(JSON.parse(answer.body)).error, line).toBeUndefined()
      }
    }
  })

  it('of refusals are messages that the server has', async () => {
    const shown = operationsOf(document).flatMap(({ operation }) =>
      ['400', '401', '404', '415'].flatMap((status) =>
        Object.values(operation.responses[status]?.content['application/json']?.examples ?? {}).map(
          ({ value }) => JSON.stringify(value),
        ),
      ),
    )
    const key = partnerHeaders(test)
    const list = 'GET /api/v1/mpesa/transactions'
    const given = await Promise.all([
      push(test, '{}'),
      ask(test, list),
      ask(test, 'POST /api/v1/mpesa/stk_push', [`X-API-KEY: ${test.apiKey}`], '{}'),
      ask(test, `${list}/0`, key),
      ask(test, `${list}/9999999`, key),
      ask(test, `${list}?limit=0`, key),
      ask(test, 'POST /api/v1/mpesa/transactions/resend', key, '{"per_second":0}'),
      ask(test, 'GET /api/v1/status?verbose=1'),
    ])
    expect(new Set(shown)).toEqual(new Set(given.map(({ body }) => body)))
  })
})

/** The path with a payment of the test's own, of which may be asked what the operation is for. */
const fillIn = async (path: string, operationId: string): Promise<string> => {
  if (!path.includes('{')) return path
  if (operationId === 'cancelTransaction' || operationId === 'resendOutcome') {
    const paymentId = await acceptUntouched(test.database, test.partnerId)
    if (operationId === 'resendOutcome')
      await test.clients.payments.cancelPayment({ paymentId }, { headers: test.headers })
    return path.replace('{transaction_id}', String(paymentId))
  }
  const [example] = Object.values(
    document.paths['/api/v1/mpesa/stk_push']?.['post']?.requestBody?.content['application/json']?.examples ??
      {},
  )
  const { body } = await push(test, JSON.stringify(example?.value))
  return path.replace('{transaction_id}', String(JSON.parse(body).transaction_id))
}
