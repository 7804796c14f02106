import type { DescService } from '@bufbuild/protobuf'
import type { ClientsOf } from '../console/clients.ts'
import type { Actor } from '../core/audit/record-audit.ts'
import { type AccountParts, accountMethods } from '../core/services/account-methods.ts'
import { approvalMethods } from '../core/services/approval-methods.ts'
import { auditMethods } from '../core/services/audit-methods.ts'
import { deliveryMethods } from '../core/services/delivery-methods.ts'
import { createOperatorClient, type OperatorMethods } from '../core/services/operator-client.ts'
import { operatorMethods } from '../core/services/operator-methods.ts'
import { overviewMethods } from '../core/services/overview-methods.ts'
import { partnerMethods } from '../core/services/partner-methods.ts'
import { payerMethods } from '../core/services/payer-methods.ts'
import { paymentOperationsMethods } from '../core/services/payment-operations-methods.ts'
import { type StatementParts, statementMethods } from '../core/services/statement-methods.ts'
import { tokenMethods } from '../core/services/token-methods.ts'
import { forgetUpload } from '../core/statements/uploads.ts'
import type { Database } from '../database/connect.ts'
import { AccountService } from '../gen/mpesa/gateway/v1/accounts_pb.js'
import { ApprovalService } from '../gen/mpesa/gateway/v1/approvals_pb.js'
import { AuditService } from '../gen/mpesa/gateway/v1/audit_pb.js'
import { DeliveryService } from '../gen/mpesa/gateway/v1/deliveries_pb.js'
import { OperatorService } from '../gen/mpesa/gateway/v1/operators_pb.js'
import { OverviewService } from '../gen/mpesa/gateway/v1/overview_pb.js'
import { PartnerService } from '../gen/mpesa/gateway/v1/partners_pb.js'
import { PayerService } from '../gen/mpesa/gateway/v1/payers_pb.js'
import { PaymentOperationsService } from '../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { StatementService } from '../gen/mpesa/gateway/v1/statements_pb.js'
import { TokenService } from '../gen/mpesa/gateway/v1/tokens_pb.js'
import type { Log } from '../runtime/log.ts'
import type { OperatorClient } from '../runtime/operator-client.ts'
import type { Vault } from '../runtime/seal.ts'
import { refuse } from './console-refusals.ts'
import { createTestCallbacks } from './console-test-callbacks.ts'
import type { SampleWay } from './send-samples.ts'
import { readSituationAt } from './situation-here.ts'

/** What the methods use that pages call. */
export type ConsoleClientParts = {
  database: Database
  log: Log
  vault: Vault
  randomBytes: (count: number) => Buffer
  spoolFolder: string
  overdueAfterMs: number
  fourEyes: boolean
  /** Where test callbacks may go. */
  sampleWay: SampleWay
  /** After this no further one of them is begun, ms. */
  samplesWithinMs: number
} & Pick<AccountParts, 'defaultAccount' | 'checkAccount'> &
  Pick<StatementParts, 'openReferences'>

/**
 * Makes the clients of a request to the console: the methods that gRPC and the commands call, in the operator's own
 * name, so that the audit log has the person. Dispatchers and `serve` find what a page changed by themselves.
 */
export const createClientsOf = (parts: ConsoleClientParts): ClientsOf => {
  const { database, log, vault, randomBytes, spoolFolder, overdueAfterMs, fourEyes } = parts
  const { defaultAccount, checkAccount, sampleWay, samplesWithinMs } = parts
  const samples = { database, log, vault, sampleWay, samplesWithinMs }
  const nothing = (): void => undefined
  const partners = { database, vault, randomBytes, log }
  const deliveries = { database, log, onDeliveriesDue: nothing }
  const reader = 'anybody' as const
  const payments = { database, log, reader, overdueAfterMs, fourEyes, onSettled: nothing }
  const approvals = { database, log, spoolFolder, onSettled: nothing }
  const statements = { database, log, defaultAccount, openReferences: parts.openReferences }
  const accounts = { database, log, vault, defaultAccount, checkAccount }
  const readSituation = readSituationAt({ database, folder: spoolFolder, overdueAfterMs })
  return (operator) => {
    const actor = { kind: 'operator' as const, ...operator }
    return {
      partners: client(PartnerService, partnerMethods, partners, actor),
      deliveries: client(DeliveryService, deliveryMethods, deliveries, actor),
      payments: client(PaymentOperationsService, paymentOperationsMethods, payments, actor),
      accounts: client(AccountService, accountMethods, accounts, actor),
      tokens: client(TokenService, tokenMethods, { database, randomBytes, log }, actor),
      operators: client(OperatorService, operatorMethods, { database, randomBytes, log }, actor),
      audit: client(AuditService, auditMethods, { database, log }, actor),
      statements: client(StatementService, statementMethods, statements, actor),
      uploads: { forget: (uploadId) => forgetUpload(database, uploadId) },
      overview: client(OverviewService, overviewMethods, { database, log, readSituation }, actor),
      payers: client(PayerService, payerMethods, { database, log, spoolFolder, fourEyes }, actor),
      approvals: client(ApprovalService, approvalMethods, approvals, actor),
      testCallbacks: createTestCallbacks(samples, actor),
    }
  }
}

/** A client whose refusals are the console's. */
const client = <Service extends DescService, Parts>(
  service: Service,
  methods: OperatorMethods<Service, Parts>,
  parts: Parts,
  actor: Actor,
): OperatorClient<Service> => {
  const calls = Object.entries(createOperatorClient({ service, methods, parts, actor }))
  const refusing = calls.map(([name, call]) => [
    name,
    (request: Parameters<typeof call>[0]) => call(request).catch(refuse),
  ])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each method of the service, under its own name
  return Object.fromEntries(refusing) as OperatorClient<Service>
}
