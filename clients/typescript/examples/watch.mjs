// Hears of every change of every payment, once each, whatever ends its stream: TOKEN=… node watch.mjs
import { createServiceClient, resumed } from '@mpesa-gateway/client/grpc'
import { PaymentEventService } from '@mpesa-gateway/client/v1/payment_events'
import { PaymentState } from '@mpesa-gateway/client/v1/payments'

const { GRPC_URL, TOKEN } = process.env
const service = createServiceClient(PaymentEventService, { baseUrl: GRPC_URL, credentials: { token: TOKEN } })

const listen = (after, signal) => service.watchPayments({ after, fromOldest: after === '' }, { signal })

// A service stores the cursor of the last event with what it did, and begins from it: resumed(listen, { after: cursor }).
for await (const { events } of resumed(listen))
  for (const { paymentId, number, state } of events)
    console.log(`payment ${paymentId}, change ${number}: ${PaymentState[state]}`)
