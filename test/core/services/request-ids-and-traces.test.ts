import { createClient, type Transport } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { openFacade, paymentBody, STK_PUSH, type TestFacade } from '../../facade/harness.ts'
import { paymentRequest } from '../../support/requests.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

/** Asks for a payment over one protocol with some headers, and resolves with the payment's id. */
type Ask = (headers: Record<string, string>) => Promise<bigint>

let test: TestFacade
let transports: Transports
let asks: Record<string, Ask>

beforeAll(async () => {
  test = await openFacade()
  transports = await startTransports(test)
  const through =
    (transport: Transport): Ask =>
    async (more) => {
      const headers = { ...test.headers, ...more }
      const payments = createClient(PaymentService, transport)
      return (await payments.requestPayment(paymentRequest(), { headers })).paymentId
    }
  asks = {
    REST: async (more) => {
      const headers = { ...test.headers, 'content-type': 'application/json', ...more }
      const answer = await fetch(test.url + STK_PUSH, { method: 'POST', headers, body: paymentBody() })
      const { transaction_id: id } = (await answer.json()) as { transaction_id: number }
      return BigInt(id)
    },
    gRPC: through(transports.over.gRPC),
    Connect: through(transports.over.Connect),
    'gRPC-Web': through(transports.over['gRPC-Web']),
  }
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

/** A field of the log's line of the payment's acceptance. */
const loggedFor = (paymentId: bigint, field: 'request_id' | 'trace_id'): unknown => {
  const lines = test.logLines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const line = lines.find(
    (one) => one['event'] === 'payment_accepted' && one['payment_id'] === Number(paymentId),
  )
  expect(line).toBeDefined()
  return line?.[field]
}

const askOver: (protocol: string, ...ask: Parameters<Ask>) => Promise<bigint> = (protocol, headers) => {
  const through = asks[protocol]
  if (through === undefined) throw new Error(`no protocol ${protocol}`)
  return through(headers)
}

describe.each(['REST', 'gRPC', 'Connect', 'gRPC-Web'])('a request id over %s', (protocol) => {
  const ask = (requestId: string): Promise<bigint> => askOver(protocol, { 'x-request-id': requestId })

  it.each(['a', '0a1b2c3d-4e5f.6_7', 'x'.repeat(128)])('is kept when it is %s', async (requestId) => {
    expect(loggedFor(await ask(requestId), 'request_id')).toBe(requestId)
  })

  it.each(['a b', 'a/b', '://::', '"', 'x'.repeat(129), `://${':'.repeat(10_000)}`])(
    'stands nowhere when it is %s',
    async (requestId) => {
      expect([undefined, expect.stringMatching(/^[0-9a-f]{24}-[0-9a-z]+$/)]).toContainEqual(
        loggedFor(await ask(requestId), 'request_id'),
      )
      expect(test.logLines.join('')).not.toContain(JSON.stringify(requestId))
    },
  )
})

describe.each(['REST', 'gRPC', 'Connect', 'gRPC-Web'])('a trace over %s', (protocol) => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
  const ask = async (traceparent: string): Promise<unknown> =>
    loggedFor(await askOver(protocol, { traceparent }), 'trace_id')

  it('stands in the lines of the log', async () => {
    expect(await ask(`00-${TRACE}-00f067aa0ba902b7-01`)).toBe(TRACE)
  })

  it.each([TRACE, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${TRACE}-00f067aa0ba902b7`, '"'])(
    'is ignored when it is given as %s',
    async (traceparent) => {
      expect(await ask(traceparent)).toBeUndefined()
    },
  )
})
