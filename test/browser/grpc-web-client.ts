import { createClient } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { PaymentEventService } from '../../src/gen/mpesa/gateway/v1/payment_events_pb.js'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'

// What a page of an internal service does: it calls over gRPC-Web from a browser.

/** Asks for a payment, watches until it is accepted, and returns what was heard; an error as its text. */
const pay = async (baseUrl: string, apiKey: string, callbackUrl: string): Promise<unknown> => {
  const transport = createGrpcWebTransport({ baseUrl })
  const headers = { 'x-api-key': apiKey }
  const { paymentId } = await createClient(PaymentService, transport).requestPayment(
    { msisdn: '254712345678', amountKes: 150, callbackUrl },
    { headers },
  )
  const events = createClient(PaymentEventService, transport).watchPayments(
    { fromOldest: true, paymentId },
    { headers },
  )
  for await (const { events: heard } of events) {
    const [first] = heard
    if (first) return { paymentId: String(paymentId), heard: String(first.paymentId), number: first.number }
  }
  return 'the stream ended'
}

Object.assign(globalThis, { pay })
