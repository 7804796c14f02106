import { ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createServiceClient, resumed } from '../../clients/typescript/src/grpc.ts'
import { PaymentEventService } from '../../src/gen/mpesa/gateway/v1/payment_events_pb.js'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { startTestCore, type TestCore } from '../support/core.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'
import { startTransports, type Transports } from '../support/transports.ts'

// Nothing says so when the machine of a gateway loses its power, or a firewall forgets a connection.

let test: TestCore
let transports: Transports
let link: TcpLink
beforeAll(async () => {
  test = await startTestCore()
  transports = await startTransports(test)
  link = await openTcpLink(0)
})
afterAll(async () => {
  await link.close()
  await transports.close()
  await test.stop()
})
beforeEach(() => link.open())

/** What comes on the connections that are there is lost from now on, and new ones are made. */
const loseConnections = (): void => {
  link.silence()
  link.open()
}

describe.each(['grpc', 'connect'] as const)('over %s', (protocol) => {
  const options = () => {
    link.lead(protocol === 'grpc' ? transports.grpcPort : transports.connectPort)
    return {
      baseUrl: `http://127.0.0.1:${link.port}`,
      protocol,
      credentials: { apiKey: test.apiKey },
      silentMs: 1_000,
    }
  }

  it('events come on from the last cursor after their connection has gone silent', async () => {
    const service = createServiceClient(PaymentEventService, options())
    const messages = resumed((after, signal) => service.watchPayments({ after }, { signal }))
    const first = await messages.next()
    loseConnections()
    const { paymentId } = await test.clients.payments.requestPayment(
      { msisdn: '254700000022', amountKes: 1, callbackUrl: 'https://yourapp.example.com/callback' },
      { headers: test.headers },
    )
    for await (const { events } of messages) if (events.some((event) => event.paymentId === paymentId)) break
    expect(first.value?.cursor).not.toBe('')
  })

  it('a read is made again on another connection', async () => {
    const payments = createServiceClient(PaymentService, options())
    await payments.listPayments({})
    loseConnections()
    const page = await payments.listPayments({}).catch((error: unknown) => ConnectError.from(error))
    expect(page).toHaveProperty('payments')
  })
})
