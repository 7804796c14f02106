import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startFacade } from '../../src/facade/server.ts'
import { coreReadiness } from '../../src/remote-core/readiness.ts'
import { type Apart, openApart } from '../support/apart.ts'
import { freePort } from '../support/ports.ts'
import { ask, errorBody, openFacade, partnerHeaders, paymentBody, push, type TestFacade } from './harness.ts'

const UNAVAILABLE = {
  status: 503,
  headers: { 'retry-after': '1' },
  body: errorBody(
    'the gateway cannot answer just now: repeat the request, with the same X-Idempotency-Key if it had one',
  ),
}

describe('a facade apart from its core', () => {
  let near: TestFacade
  let apart: Apart
  /** Answers over gRPC from the near one's core. */
  let test: TestFacade

  beforeAll(async () => {
    near = await openFacade()
    apart = await openApart(near)
    const httpPort = await freePort()
    const facade = await startFacade({
      ...apart.clients,
      log: near.options.log,
      randomBytes,
      publicUrl: 'http://127.0.0.1:8080',
      deliveryScheduleMs: [0],
      host: '127.0.0.1',
      port: httpPort,
    })
    test = { ...near, facade, httpPort, url: facade.url }
  })
  afterAll(async () => {
    await test.facade.close()
    await apart.close()
    await near.stop()
  })

  it('answers to the byte as one beside its core', async () => {
    const key = ['X-Idempotency-Key: remote']
    const withKey = (value: string) => [...partnerHeaders(near), `X-Idempotency-Key: ${value}`]
    const asked: [line: string, headers: string[], body?: string][] = [
      ['POST /api/v1/mpesa/stk_push', [...partnerHeaders(near), ...key], paymentBody()],
      ['POST /api/v1/mpesa/stk_push', [...partnerHeaders(near), ...key], paymentBody({ amount: 151 })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), '{}'],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ phone: 1 })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ phone: '254712345678\ud800' })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ reference: 'half \ud83d' })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ amount: 2 ** 31 })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ amount: 1e300 })],
      ['POST /api/v1/mpesa/stk_push', withKey('cl\u00e9'), paymentBody()],
      ['POST /api/v1/mpesa/stk_push', withKey(''), paymentBody()],
      ['GET /api/v1/mpesa/transactions/9999', partnerHeaders(near)],
      ['GET /api/v1/mpesa/transactions?limit=101', partnerHeaders(near)],
      ['GET /api/v1/mpesa/transactions', ['X-API-KEY: guess']],
      ['GET /api/v1/mpesa/transactions', ['X-API-KEY: cl\u00e9']],
    ]
    await push(near, paymentBody(), key)
    for (const [line, headers, body] of asked) {
      const [one, other] = [await ask(near, line, headers, body), await ask(test, line, headers, body)]
      expect([other.status, other.body]).toEqual([one.status, one.body])
      expect(other.status).toBeLessThan(500)
    }
  })

  it('reads what was stored, and hands callbacks on as they came', async () => {
    const { transaction_id } = JSON.parse((await push(test, paymentBody())).body)
    const path = `GET /api/v1/mpesa/transactions/${transaction_id}`
    const answers = [await ask(test, path, partnerHeaders(test)), await ask(near, path, partnerHeaders(test))]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    const body = Buffer.from([0, 255, 10, 13])
    expect((await ask(test, 'POST /callbacks/stk/remote', ['X-Odd: cl\u00e9'], body)).status).toBe(200)
    const stored = test.database.selectFrom('callbacks').selectAll().orderBy('id', 'desc').limit(1)
    const callback = await stored.executeTakeFirstOrThrow()
    expect(callback).toMatchObject({ body, source_address: '127.0.0.1' })
    expect(callback.headers).toContainEqual(['X-Odd', expect.any(String)])
  })

  it('is ready while its core serves and believes it', async () => {
    expect(await coreReadiness(apart.clients, false)).toEqual({ ready: true, parts: { core: 'ok' } })
    expect((await coreReadiness(apart.clients, true)).ready).toBe(false)
  })

  it('asks to try again while its core is away, acknowledges no callback, and says where the trouble is', async () => {
    await apart.grpc.close()
    expect(await push(test, paymentBody())).toMatchObject(UNAVAILABLE)
    expect(await ask(test, 'POST /callbacks/stk/remote', [], '{}')).toMatchObject(UNAVAILABLE)
    expect(await ask(test, 'GET /api/v1/status')).toMatchObject(UNAVAILABLE)
    expect(await coreReadiness(apart.clients, false)).toMatchObject({
      ready: false,
      parts: { core: 'away', core_trouble: expect.stringContaining('ECONNREFUSED') },
    })
    const lines = near.logLines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toContainEqual(
      expect.objectContaining({
        event: 'request_unavailable',
        cause: expect.stringContaining('ECONNREFUSED'),
      }),
    )
    expect((await ask(test, 'GET /healthz')).status).toBe(200)
    expect((await ask(test, 'GET /api/v1/mpesa/transactions')).status).toBe(401)
  })
})
