import { randomBytes } from 'node:crypto'
import { createClient, type Interceptor } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../src/core/server/grpc.ts'
import { startFacade } from '../../src/facade/server.ts'
import { DarajaCallbackService } from '../../src/gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { testActor } from '../support/actor.ts'
import { freePort } from '../support/ports.ts'
import { ask, errorBody, openFacade, partnerHeaders, paymentBody, push, type TestFacade } from './harness.ts'

describe('a facade whose core is behind gRPC', () => {
  let near: TestFacade
  let grpc: GrpcServer
  /** Answers over gRPC from the near one's core. */
  let test: TestFacade

  beforeAll(async () => {
    near = await openFacade()
    grpc = await startGrpcServer({ services: near.core.services, host: '127.0.0.1', port: 0 })
    const scopes = ['callbacks:write'] as const
    const token = await createServiceToken({
      actor: testActor,
      database: near.database,
      name: 'facade',
      scopes,
      randomBytes,
    })
    const withToken: Interceptor = (next) => (request) => {
      request.header.set('authorization', `Bearer ${token}`)
      return next(request)
    }
    const baseUrl = `http://127.0.0.1:${grpc.port}`
    const httpPort = await freePort()
    const facade = await startFacade({
      payments: createClient(PaymentService, createGrpcTransport({ baseUrl })),
      darajaCallbacks: createClient(
        DarajaCallbackService,
        createGrpcTransport({ baseUrl, interceptors: [withToken] }),
      ),
      log: near.options.log,
      randomBytes,
      deliveryScheduleMs: [0],
      host: '127.0.0.1',
      port: httpPort,
    })
    test = { ...near, facade, httpPort, url: facade.url }
  })
  afterAll(async () => {
    await test.facade.close()
    await grpc.close()
    await near.stop()
  })

  it('answers to the byte as one beside its core', async () => {
    const key = ['X-Idempotency-Key: remote']
    const asked: [line: string, headers: string[], body?: string][] = [
      ['POST /api/v1/mpesa/stk_push', [...partnerHeaders(near), ...key], paymentBody()],
      ['POST /api/v1/mpesa/stk_push', [...partnerHeaders(near), ...key], paymentBody({ amount: 151 })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), '{}'],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ phone: 1 })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ phone: '254712345678\ud800' })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ reference: 'half \ud83d' })],
      [
        'POST /api/v1/mpesa/stk_push',
        partnerHeaders(near),
        paymentBody({ callback_url: 'https://a.co.ke/\udc00' }),
      ],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ amount: 2 ** 31 })],
      ['POST /api/v1/mpesa/stk_push', partnerHeaders(near), paymentBody({ amount: 1e300 })],
      [
        'POST /api/v1/mpesa/stk_push',
        [...partnerHeaders(near), 'X-Idempotency-Key: cl\u00e9'],
        paymentBody(),
      ],
      ['POST /api/v1/mpesa/stk_push', [...partnerHeaders(near), 'X-Idempotency-Key:'], paymentBody()],
      ['GET /api/v1/mpesa/transactions/9999', partnerHeaders(near)],
      ['GET /api/v1/mpesa/transactions?limit=101', partnerHeaders(near)],
      ['GET /api/v1/mpesa/transactions', ['X-API-KEY: guess']],
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
    expect(callback.body).toEqual(body)
    expect(callback.headers).toContainEqual(['X-Odd', expect.any(String)])
  })

  it('asks to try again while its core is away', async () => {
    await grpc.close()
    const answer = await push(test, paymentBody())
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: errorBody(
        'the gateway cannot answer just now: repeat the request, with the same X-Idempotency-Key if it had one',
      ),
    })
  })
})
