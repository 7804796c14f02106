import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { createPlaces } from '../../src/runtime/tracing/places.ts'
import { testActor } from '../support/actor.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { lastingPort } from '../support/ports.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const TRACEPARENT = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` }
const STK_PUSH = 'POST /api/v1/mpesa/stk_push'
const SERVER = 2

let collector: OtlpReceiver
let gateway: TestGateway
let facade: GatewayProcess
beforeAll(async () => {
  collector = await startOtlpReceiver()
  const port = String(await lastingPort())
  gateway = await startTestGateway({ serve: 1, settings: { ...collector.settings, GRPC_PORT: port } })
  const { token } = await createServiceToken({
    actor: testActor,
    database: gateway.database,
    name: 'facade',
    scopes: ['facade:call', 'callbacks:write'],
    randomBytes,
  })
  facade = await startGatewayProcess('serve --facade-only', {
    ...collector.settings,
    CORE_URL: `http://127.0.0.1:${port}`,
    CORE_TOKEN: token,
    PUBLIC_URL: gateway.httpUrl,
    HTTP_PORT: '0',
    OPS_PORT: '0',
  })
})
afterAll(async () => {
  await facade?.end('SIGKILL')
  await gateway?.close()
  await collector?.close()
})

const call = async (path: string, init: RequestInit, headers: Record<string, string> = {}) => {
  const given = { 'x-api-key': gateway.apiKey, 'content-type': 'application/json', ...headers }
  const answer = await fetch(`${facade.ready['http_url']}${path}`, { ...init, headers: given })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

const ask = async (headers: Record<string, string> = {}, amount = 150): Promise<number> => {
  const body = JSON.stringify({
    phone: '254712345678',
    amount,
    callback_url: `${gateway.world.receiver.url}/paid/t0ps3cret`,
  })
  const answer = await call('/api/v1/mpesa/stk_push', { method: 'POST', body }, headers)
  return Number(answer.body['transaction_id'])
}

const ofFacade = (): ReceivedSpan[] =>
  collector.spans().filter(({ service }) => service === 'mpesa-gateway-facade')

/** The first span of the payment's own trace, which the core makes. */
const rootOf = (id: number): Promise<ReceivedSpan> => {
  const { placeOf } = createPlaces(Buffer.from(TEST_SECRET_KEY, 'hex'))
  const { spanId } = placeOf(BigInt(id), 'request')
  return eventually(() => {
    const root = collector.spans().find((span) => span.spanId === spanId)
    expect(root).toBeDefined()
    return root as ReceivedSpan
  })
}

const madeOf = (link: { spanId: string } | undefined): Promise<ReceivedSpan> =>
  eventually(() => {
    const span = ofFacade().find(({ spanId }) => spanId === link?.spanId)
    expect(span).toBeDefined()
    return span as ReceivedSpan
  })

describe('a facade apart from its core', () => {
  it('begins a trace with the partner’s POST, to which the payment’s own is linked', async () => {
    const id = await ask()
    const root = await rootOf(id)
    expect(root.name).toBe('mpesa.gateway.v1.PaymentService/RequestPayment')
    expect(root.links).toHaveLength(1)
    const span = await madeOf(root.links[0])
    expect(span).toMatchObject({
      name: STK_PUSH,
      kind: SERVER,
      isError: false,
      traceId: root.links[0]?.traceId,
    })
    expect(span.parentSpanId).toBeUndefined()
    expect(span.traceId).not.toBe(root.traceId)
    expect(span.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/api/v1/mpesa/stk_push',
      'http.response.status_code': 200,
    })
  })

  it('goes on with the trace that the partner named, which the log has too', async () => {
    const id = await ask(TRACEPARENT)
    const { links } = await rootOf(id)
    expect(links[0]?.traceId).toBe(CALLER.traceId)
    expect((await madeOf(links[0])).parentSpanId).toBe(CALLER.spanId)
    await eventually(() =>
      expect(gateway.serve[0]?.log()).toMatch(
        new RegExp(
          `"payment_accepted".*"caller_trace_id":"${CALLER.traceId}"|"caller_trace_id":"${CALLER.traceId}".*"payment_accepted"`,
        ),
      ),
    )
  })

  it('has the core’s part of a read below its own, by its route', async () => {
    const id = await ask()
    await call(`/api/v1/mpesa/transactions/${id}`, {}, TRACEPARENT)
    const read = await eventually(() => {
      const span = ofFacade().find(({ name }) => name === 'GET /api/v1/mpesa/transactions/{transaction_id}')
      expect(span).toBeDefined()
      return span as ReceivedSpan
    })
    const below = await eventually(() => {
      const span = collector.spans().find(({ parentSpanId }) => parentSpanId === read.spanId)
      expect(span).toBeDefined()
      return span
    })
    expect(below).toMatchObject({
      name: 'mpesa.gateway.v1.PaymentService/GetPayment',
      service: 'mpesa-gateway-serve',
      traceId: CALLER.traceId,
    })
  })

  it('says what it refused and what failed, and none of what partners sent', async () => {
    await call('/api/v1/mpesa/stk_push', { method: 'POST', body: '{' })
    await eventually(() =>
      expect(ofFacade().map(({ attributes }) => attributes['http.response.status_code'])).toContain(400),
    )
    await gateway.serve[0]?.end('SIGKILL')
    const { status } = await call('/api/v1/mpesa/transactions/1', {})
    expect(status).toBe(503)
    const failed = await eventually(() => {
      const span = ofFacade().find(({ isError }) => isError)
      expect(span).toBeDefined()
      return span
    })
    expect(failed?.attributes).toMatchObject({ 'http.response.status_code': 503, 'error.type': '503' })
    const sent = JSON.stringify(ofFacade(), (_key, value) => (typeof value === 'bigint' ? `${value}` : value))
    for (const secret of ['712345678', gateway.apiKey, 't0ps3cret', 'mps_'])
      expect(sent.includes(secret), secret).toBe(false)
  })
})
