import { createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterEach, expect, it } from 'vitest'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

/** Longer than any test waits, ms. */
const LONG_MS = 600_000

let gateway: TestGateway | undefined
afterEach(() => gateway?.close())

it('a call whose deadline is far away, and was answered long ago, holds up no end', async () => {
  gateway = await startTestGateway({ serve: 1 })
  const [serve] = gateway.serve
  const transports = [
    createGrpcTransport({ baseUrl: serve?.ready['grpc_url'] ?? '' }),
    createConnectTransport({ baseUrl: serve?.ready['connect_url'] ?? '', httpVersion: '1.1' }),
  ]
  for (const transport of transports) {
    const headers = { 'x-api-key': gateway.apiKey }
    const { payments } = await createClient(PaymentService, transport).listPayments(
      {},
      { headers, timeoutMs: LONG_MS },
    )
    expect(payments).toEqual([])
  }
  let endedBy: number | string | null | undefined
  void serve?.end('SIGTERM').then((how) => {
    endedBy = how
  })
  await eventually(() => expect(endedBy).toBe(0))
})
