import type { AccountService } from '../gen/mpesa/gateway/v1/accounts_pb.js'
import type { ApprovalService } from '../gen/mpesa/gateway/v1/approvals_pb.js'
import type { AuditService } from '../gen/mpesa/gateway/v1/audit_pb.js'
import type { DeliveryService } from '../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { OperatorService } from '../gen/mpesa/gateway/v1/operators_pb.js'
import type { OverviewService } from '../gen/mpesa/gateway/v1/overview_pb.js'
import type { PartnerService } from '../gen/mpesa/gateway/v1/partners_pb.js'
import type { PayerService } from '../gen/mpesa/gateway/v1/payers_pb.js'
import type { PaymentOperationsService } from '../gen/mpesa/gateway/v1/payment_operations_pb.js'
import type { StatementService } from '../gen/mpesa/gateway/v1/statements_pb.js'
import type { TokenService } from '../gen/mpesa/gateway/v1/tokens_pb.js'
import type { OperatorClient } from '../runtime/operator-client.ts'
import type { TestCallbacks } from './test-callbacks.ts'

/**
 * What pages call: the methods that gRPC and the commands call, in the name of the operator who is signed in. They
 * throw `Refusal`. A new service stands here and in `src/cli/console-clients.ts`, which makes them.
 */
export type ConsoleClients = {
  readonly partners: OperatorClient<typeof PartnerService>
  readonly deliveries: OperatorClient<typeof DeliveryService>
  readonly payments: OperatorClient<typeof PaymentOperationsService>
  readonly accounts: OperatorClient<typeof AccountService>
  readonly tokens: OperatorClient<typeof TokenService>
  readonly operators: OperatorClient<typeof OperatorService>
  readonly audit: OperatorClient<typeof AuditService>
  readonly overview: OperatorClient<typeof OverviewService>
  readonly payers: OperatorClient<typeof PayerService>
  readonly approvals: OperatorClient<typeof ApprovalService>
  readonly statements: OperatorClient<typeof StatementService>
  /** The files that are handed over part by part. */
  readonly uploads: {
    /** Takes away what was handed over of a file that nobody will import. */
    forget(uploadId: string): Promise<void>
  }
  readonly testCallbacks: TestCallbacks
}

/** Makes the clients of one request: `name` is the operator's, `from` the address that the request came from. */
export type ClientsOf = (operator: { name: string; from: string }) => ConsoleClients
