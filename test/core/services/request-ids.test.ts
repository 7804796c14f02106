import { createClient, type Transport } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { openFacade, paymentBody, STK_PUSH, type TestFacade } from '../../facade/harness.ts'
import { paymentRequest } from '../../support/requests.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

/** Asks for a payment over one protocol with an `x-request-id`, and resolves with the payment's id. */
type Ask = (requestId: string) => Promise<bigint>

let test: TestFacade
let transports: Transports
let asks: Record<string, Ask>

beforeAll(async () => {
  test = await openFacade()
  transports = await startTransports(test)
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
    gRPC: through(transports.over.gRPC),
    Connect: through(transports.over.Connect),
    'gRPC-Web': through(transports.over['gRPC-Web']),
  }
})
afterAll(async () => {
  await transports.close()
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
