import { createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { openFacade, paymentBody, STK_PUSH, type TestFacade } from '../../facade/harness.ts'
import { paymentRequest } from '../../support/requests.ts'

/** Asks for a payment over one protocol with an `x-request-id`, and resolves with the payment's id. */
type Ask = (requestId: string) => Promise<bigint>

let test: TestFacade
let grpc: GrpcServer
let connect: ConnectServer
let asks: Record<string, Ask>

beforeAll(async () => {
  test = await openFacade()
  const services = { services: test.core.services, host: '127.0.0.1', port: 0 }
  grpc = await startGrpcServer(services)
  connect = await startConnectServer(services)
  const baseUrl = `http://127.0.0.1:${connect.port}`
  const through =
    (transport: Transport): Ask =>
    async (requestId) => {
      const headers = { ...test.headers, 'x-request-id': requestId }
      const payments = createClient(PaymentService, transport)
      return (await payments.requestPayment(paymentRequest(), { headers })).paymentId
    }
  asks = {
    REST: async (requestId) => {
      const headers = { ...test.headers, 'content-type': 'application/json', 'x-request-id': requestId }
      const answer = await fetch(test.url + STK_PUSH, { method: 'POST', headers, body: paymentBody() })
      const { transaction_id: id } = (await answer.json()) as { transaction_id: number }
      return BigInt(id)
    },
    gRPC: through(createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpc.port}` })),
    Connect: through(createConnectTransport({ baseUrl, httpVersion: '1.1' })),
    'gRPC-Web': through(createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })),
  }
})
afterAll(async () => {
  await grpc.close()
  await connect.close()
  await test.stop()
})

/** The `request_id` in the log's line of the payment's acceptance. */
const loggedFor = (paymentId: bigint): unknown => {
  const lines = test.logLines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const line = lines.find(
    (one) => one['event'] === 'payment_accepted' && one['payment_id'] === Number(paymentId),
  )
  expect(line).toBeDefined()
  return line?.['request_id']
}

describe.each(['REST', 'gRPC', 'Connect', 'gRPC-Web'])('a request id over %s', (protocol) => {
  const ask: Ask = (requestId) => {
    const through = asks[protocol]
    if (through === undefined) throw new Error(`no protocol ${protocol}`)
    return through(requestId)
  }

  it.each(['a', '0a1b2c3d-4e5f.6_7', 'x'.repeat(128)])('is kept when it is %s', async (requestId) => {
    expect(loggedFor(await ask(requestId))).toBe(requestId)
  })

  it.each(['a b', 'a/b', '://::', '"', 'x'.repeat(129), `://${':'.repeat(10_000)}`])(
    'stands nowhere when it is %s',
    async (requestId) => {
      expect([undefined, expect.stringMatching(/^[0-9a-f]{24}-[0-9a-z]+$/)]).toContainEqual(
        loggedFor(await ask(requestId)),
      )
      expect(test.logLines.join('')).not.toContain(JSON.stringify(requestId))
    },
  )
})
