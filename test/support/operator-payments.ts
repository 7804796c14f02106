import { createOperatorClient } from '../../src/core/services/operator-client.ts'
import { paymentOperationsMethods } from '../../src/core/services/payment-operations-methods.ts'
import type { PaymentOperationsParts } from '../../src/core/services/payment-operations-parts.ts'
import type { Database } from '../../src/database/connect.ts'
import { PaymentOperationsService } from '../../src/gen/mpesa/gateway/v1/payment_operations_pb.js'
import { quietLog } from './quiet-log.ts'

/** What operators do with payments, called in the test's process as `amina`. */
export const operatorPayments = (
  database: Database,
  options: { overdueAfterMs?: number; partnerId?: bigint } = {},
): ReturnType<typeof createOperatorClient<typeof PaymentOperationsService, PaymentOperationsParts>> =>
  createOperatorClient({
    service: PaymentOperationsService,
    methods: paymentOperationsMethods,
    actor: { kind: 'operator', name: 'amina', from: 'desk' },
    parts: partsOf(database, options),
  })

const partsOf = (
  database: Database,
  { partnerId, overdueAfterMs = 900_000 }: { overdueAfterMs?: number; partnerId?: bigint },
): PaymentOperationsParts => ({
  database,
  log: quietLog,
  reader: partnerId === undefined ? 'anybody' : { partnerId },
  overdueAfterMs,
  fourEyes: false,
  onSettled: () => undefined,
})
