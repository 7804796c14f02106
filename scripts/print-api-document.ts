import { createClient, createRouterTransport } from '@connectrpc/connect'
import { createFacade } from '../src/facade/server.ts'
import { DarajaCallbackService } from '../src/gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { PaymentService } from '../src/gen/mpesa/gateway/v1/payments_pb.js'
import { StatusService } from '../src/gen/mpesa/gateway/v1/status_pb.js'
import { readConfig } from '../src/runtime/config.ts'
import { createLog } from '../src/runtime/log.ts'

// Prints the OpenAPI document as a facade with the usual settings answers it, laid out for people. No core is asked.

/** What the partners' guide calls the gateway. */
const PUBLIC_URL = 'https://payments.kodawaritechnologies.com'

const nowhere = createRouterTransport(() => undefined)
const facade = createFacade({
  payments: createClient(PaymentService, nowhere),
  darajaCallbacks: createClient(DarajaCallbackService, nowhere),
  status: createClient(StatusService, nowhere),
  log: createLog({ name: 'document', level: 'fatal', to: process.stderr }),
  randomBytes: (count) => Buffer.alloc(count),
  publicUrl: PUBLIC_URL,
  deliveryScheduleMs: readConfig({}, ['DELIVERY_SCHEDULE']).DELIVERY_SCHEDULE,
})
const { statusCode, body } = await facade.inject('/api/v1/openapi.json')
await facade.close()
if (statusCode !== 200) throw new Error(`the document was answered with ${statusCode}: ${body}`)
process.stdout.write(`${JSON.stringify(JSON.parse(body), null, 2)}\n`)
