import { createServer, type Server } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { typeCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { DELIVERY_FIELDS } from '../support/guide.ts'
import { deliveriesOf } from '../support/outside-world.ts'
import { freePort } from '../support/ports.ts'

// As a partner rehearses on the real host: with a key that an operator made in a shell, over REST, with its endpoint; and
// Daraja, where it would be, counts whoever comes near.

let gateway: TestGateway
let daraja: Server
let visits = 0
let signingSecret: string
let apiKey: string

const type = async (...words: string[]) => {
  const typed = await typeCommand([...words, '--json'], gateway.settings)
  expect(typed.stderr).toBe('')
  return JSON.parse(typed.stdout)
}

beforeAll(async () => {
  const port = await freePort()
  daraja = createServer((request, response) => {
    visits += 1
    request.resume()
    response.writeHead(503).end()
  })
  await new Promise<void>((resolve) => daraja.listen(port, '127.0.0.1', resolve))
  gateway = await startTestGateway({
    serve: 2,
    dispatch: 1,
    settings: {
      DARAJA_BASE_URL: `http://127.0.0.1:${port}`,
      SIMULATOR_CALLBACK_DELAY_MS: '100',
      RECONCILE_AFTER_MS: '500',
    },
  })
  ;({ signing_secret: signingSecret } = await type(
    'partners',
    'signing-secret',
    'rotate',
    '1',
    '--overlap',
    '0s',
  ))
  ;({ api_key: apiKey } = await type('partners', 'keys', 'create', '1', '--name', 'rehearsal', '--test'))
})
afterAll(async () => {
  await gateway.close()
  daraja.close()
})

type Answered = { transaction_id: number; transaction?: object; transactions?: object[] }

const call = async (path: string, key: string, body?: object, at = gateway.httpUrl) => {
  const answer = await fetch(`${at}/api/v1/mpesa/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json', 'x-idempotency-key': 'order-1' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as Answered }
}

const push = (phone: string, key = apiKey) =>
  call('stk_push', key, { phone, amount: 150, callback_url: gateway.world.receiver.url })

it('a partner rehearses: the guide’s answers, its outcome signed and marked, at every replica; nobody at Daraja hears of it', async () => {
  expect(apiKey).toMatch(/^mpg_test_[0-9A-Za-z]{49}$/)
  const { status, body } = await push('254712345678')
  expect(status).toBe(200)
  expect(body).toEqual({
    status: 'success',
    transaction_id: expect.any(Number),
    message: 'STK Push accepted for processing',
  })
  const id = body.transaction_id
  expect((await push('254712345678')).body).toMatchObject({ status: 'duplicate', transaction_id: id })
  const [delivery] = await eventually(() => {
    const got = deliveriesOf(gateway.world.receiver, id)
    expect(got).toHaveLength(1)
    return got
  })
  expect(Object.keys(JSON.parse(delivery?.body ?? ''))).toEqual(DELIVERY_FIELDS)
  expect(JSON.parse(delivery?.body ?? '')).toMatchObject({ status: 'successful', result_code: 0 })
  expect(delivery?.headers['x-gateway-test']).toBe('payment')
  expect(() =>
    new Webhook(signingSecret).verify(delivery?.body ?? '', delivery?.headers as Record<string, string>),
  ).not.toThrow()
  for (const serve of gateway.serve) {
    const at = serve.ready['http_url'] ?? ''
    expect((await call(`transactions/${id}`, apiKey, undefined, at)).body.transaction).toMatchObject({
      transaction_id: id,
      test: true,
      mpesa_receipt: expect.stringMatching(/^XTEST/),
    })
    expect((await call(`transactions/${id}`, gateway.apiKey, undefined, at)).status).toBe(404)
  }
  expect((await call('transactions', gateway.apiKey)).body.transactions).toEqual([])
  expect(await type('payments', 'list')).toEqual([])
  expect(await type('payments', 'list', '--test', '--partner', '1')).toMatchObject([
    { payment_id: id, partner_id: 1, test: true, state: 'successful' },
  ])
  expect(await type('deliveries', 'list')).toEqual([])
  expect(await type('deliveries', 'list', '--test')).toMatchObject([
    { payment_id: id, partner_id: 1, test: true },
  ])
  expect(visits).toBe(0)
  for (const process of [...gateway.serve, ...gateway.dispatch])
    expect(process.log()).not.toContain('"partner_id":-')
})

it('a replica that is killed before M-PESA called back leaves its rehearsals to the other', async () => {
  const [first] = gateway.serve
  const slow = await gateway.start('serve', { HTTP_PORT: '0', SIMULATOR_CALLBACK_DELAY_MS: '1500' })
  await first?.end('SIGKILL')
  await gateway.serve[1]?.end('SIGKILL')
  const answer = await fetch(`${slow.ready['http_url']}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ phone: '254700000002', amount: 150, callback_url: gateway.world.receiver.url }),
  })
  const { transaction_id: id } = (await answer.json()) as { transaction_id: number }
  await eventually(async () => {
    const query = gateway.database.selectFrom('payments').select('state').where('id', '=', BigInt(id))
    expect((await query.executeTakeFirst())?.state).toBe('submitted')
  })
  await slow.end('SIGKILL')
  await gateway.start('serve', { HTTP_PORT: '0' })
  await eventually(() => {
    const [delivery] = deliveriesOf(gateway.world.receiver, id)
    expect(JSON.parse(delivery?.body ?? '{}')).toMatchObject({ status: 'failed', result_code: 1032 })
  })
  expect(visits).toBe(0)
})
