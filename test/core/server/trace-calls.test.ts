import { randomBytes } from 'node:crypto'
import { createClient, type Transport } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createServiceToken } from '../../../src/core/partners/service-token.ts'
import { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { createPlaces } from '../../../src/runtime/tracing/places.ts'
import { createTracing, type EndedSpan } from '../../../src/runtime/tracing/tracing.ts'
import { testActor } from '../../support/actor.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { paymentRequest } from '../../support/requests.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const TRACEPARENT = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` }

const spans: EndedSpan[] = []
const places = createPlaces(Buffer.alloc(32))
const tracing = createTracing(places, { take: (span) => spans.push(span), close: () => Promise.resolve() })

let test: TestCore
let transports: Transports
let token: string
beforeAll(async () => {
  test = await startTestCore({ tracing })
  transports = await startTransports(test)
  const made = await createServiceToken({
    database: test.database,
    name: 'console',
    scopes: ['partners:manage'],
    actor: testActor,
    randomBytes,
  })
  token = made.token
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})
beforeEach(() => {
  spans.length = 0
})

const calls = (): EndedSpan[] => spans.filter(({ kind }) => kind === 'server')

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('an operator’s call over %s', (protocol) => {
  const partners = () => createClient(PartnerService, transports.over[protocol] as Transport)

  it('is a span in the trace of its caller', async () => {
    await partners().listPartners({}, { headers: { authorization: `Bearer ${token}`, ...TRACEPARENT } })
    expect(calls()).toMatchObject([
      {
        name: 'mpesa.gateway.v1.PartnerService/ListPartners',
        place: { traceId: CALLER.traceId },
        parent: CALLER,
        attributes: { 'rpc.response.status_code': 'ok' },
      },
    ])
  })

  it('is a span of its own where its caller named none, also when it is refused', async () => {
    const headers = { authorization: 'Bearer mps_unknown' }
    await expect(partners().listPartners({}, { headers })).rejects.toThrow()
    expect(calls()).toMatchObject([
      {
        parent: null,
        error: 'unauthenticated',
        attributes: { 'rpc.response.status_code': 'unauthenticated' },
      },
    ])
    expect(JSON.stringify(spans)).not.toContain('mps_unknown')
  })
})

describe('a request for a payment over gRPC', () => {
  const payments = () => createClient(PaymentService, transports.over.gRPC)
  const headers = () => ({ ...test.headers, ...TRACEPARENT })

  it('begins the trace of the payment, and links to its caller', async () => {
    const { paymentId } = await payments().requestPayment(paymentRequest(), { headers: headers() })
    expect(calls()[0]).toMatchObject({
      name: 'mpesa.gateway.v1.PaymentService/RequestPayment',
      place: places.placeOf(paymentId, 'request'),
      parent: null,
      links: [CALLER],
    })
  })

  it('has a trace of its own when it is refused, and links to its caller', async () => {
    const wrong = paymentRequest({ amountKes: 0 })
    await expect(payments().requestPayment(wrong, { headers: headers() })).rejects.toThrow()
    const [span] = calls()
    expect(span).toMatchObject({ parent: null, links: [CALLER], error: 'invalid_argument' })
    expect(span?.place.traceId).not.toBe(CALLER.traceId)
  })
})
