import type { DescService, Message } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type { AccountService } from '../../gen/mpesa/gateway/v1/accounts_pb.js'
import type { ApprovalService } from '../../gen/mpesa/gateway/v1/approvals_pb.js'
import type { AuditService } from '../../gen/mpesa/gateway/v1/audit_pb.js'
import type { DeliveryService } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { OperatorService } from '../../gen/mpesa/gateway/v1/operators_pb.js'
import type { OverviewService } from '../../gen/mpesa/gateway/v1/overview_pb.js'
import type { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { PayerService } from '../../gen/mpesa/gateway/v1/payers_pb.js'
import type { PaymentOperationsService } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import type { StatementService } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import type { TokenService } from '../../gen/mpesa/gateway/v1/tokens_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { Scope } from '../../values/scope.ts'
import { type AccountParts, accountMethods } from './account-methods.ts'
import { approvalMethods } from './approval-methods.ts'
import { type AuditParts, auditMethods } from './audit-methods.ts'
import { namedReader, requireScope } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import type { ApprovalParts } from './decide-approval.ts'
import { type DeliveryParts, deliveryMethods } from './delivery-methods.ts'
import { withErrorMapping } from './errors.ts'
import { forCall, isRead } from './for-call.ts'
import { requireIds } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { type OperatorParts, operatorMethods } from './operator-methods.ts'
import { type OverviewParts, overviewMethods } from './overview-methods.ts'
import type { PartnerParts } from './partner-key-methods.ts'
import { partnerMethods } from './partner-methods.ts'
import { type PayerParts, payerMethods } from './payer-methods.ts'
import { paymentOperationsMethods } from './payment-operations-methods.ts'
import type { PaymentOperationsParts } from './payment-operations-parts.ts'
import { type StatementParts, statementMethods } from './statement-methods.ts'
import { type TokenParts, tokenMethods } from './token-methods.ts'

type Checks = { checks: Pick<CallerChecks, 'checkToken' | 'noteRefused'> }

/** PartnerService, for callers whose token has the scope `partners:manage`. */
export const createPartnerService = (parts: PartnerParts & Checks): ServiceImpl<typeof PartnerService> =>
  serve(partnerMethods, parts, () => 'partners:manage')

/** DeliveryService, for callers whose token has the scope `deliveries:manage`. */
export const createDeliveryService = (parts: DeliveryParts & Checks): ServiceImpl<typeof DeliveryService> =>
  serve(deliveryMethods, parts, () => 'deliveries:manage')

/** AccountService, for callers whose token has the scope `accounts:manage`. */
export const createAccountService = (parts: AccountParts & Checks): ServiceImpl<typeof AccountService> =>
  serve(accountMethods, parts, () => 'accounts:manage')

/** TokenService, for callers whose token has the scope `tokens:manage`. */
export const createTokenService = (parts: TokenParts & Checks): ServiceImpl<typeof TokenService> =>
  serve(tokenMethods, parts, () => 'tokens:manage')

/** OperatorService, for callers whose token has the scope `operators:manage`. */
export const createOperatorService = (parts: OperatorParts & Checks): ServiceImpl<typeof OperatorService> =>
  serve(operatorMethods, parts, () => 'operators:manage')

/** PayerService, for callers whose token has the scope `payers:manage`. */
export const createPayerService = (parts: PayerParts & Checks): ServiceImpl<typeof PayerService> =>
  serve(payerMethods, parts, () => 'payers:manage')

/** StatementService, for callers whose token has the scope `statements:manage`. */
export const createStatementService = (
  parts: StatementParts & Checks,
): ServiceImpl<typeof StatementService> => serve(statementMethods, parts, () => 'statements:manage')

/** ApprovalService, for callers whose token has the scope `approvals:manage`. */
export const createApprovalService = (parts: ApprovalParts & Checks): ServiceImpl<typeof ApprovalService> =>
  serve(approvalMethods, parts, () => 'approvals:manage')

/** AuditService, for callers whose token has the scope `audit:read`. */
export const createAuditService = (parts: AuditParts & Checks): ServiceImpl<typeof AuditService> =>
  serve(auditMethods, parts, () => 'audit:read')

/** OverviewService, for callers whose token has the scope `payments:read`. */
export const createOverviewService = (parts: OverviewParts & Checks): ServiceImpl<typeof OverviewService> =>
  serve(overviewMethods, parts, () => 'payments:read')

/**
 * PaymentOperationsService: what reads is for the scope `payments:read`, what changes something for `payments:manage`. Of
 * the payments of the partner in `x-partner-id` only, where there is one.
 */
export const createPaymentOperationsService = (
  parts: Omit<PaymentOperationsParts, 'reader'> & {
    checks: Pick<CallerChecks, 'checkPartner' | 'checkToken' | 'noteRefused'>
  },
): ServiceImpl<typeof PaymentOperationsService> =>
  serve<typeof PaymentOperationsService, PaymentOperationsParts>(
    paymentOperationsMethods,
    {
      database: parts.database,
      log: parts.log,
      overdueAfterMs: parts.overdueAfterMs,
      fourEyes: parts.fourEyes,
      onSettled: parts.onSettled,
      checks: parts.checks,
      reader: 'anybody',
    },
    (context) => (isRead(context) ? 'payments:read' : 'payments:manage'),
    async (all, context) => ({ ...all, reader: await namedReader(context, parts.checks) }),
  )

/** Lets callers with the scope in, and hands on who it is; `narrow`: the parts for one call. */
const serve = <Service extends DescService, Parts extends { database: Database; log: Log }>(
  methods: OperatorMethods<Service, Parts>,
  parts: Parts & Checks,
  scopeOf: (context: HandlerContext) => Scope,
  narrow: (parts: Parts, context: HandlerContext) => Parts | Promise<Parts> = (all) => all,
): ServiceImpl<Service> => {
  const all: OperatorMethods<DescService, Parts> = methods
  const served = Object.entries(all).map(([name, answer]) => [
    name,
    (request: Message, context: HandlerContext) =>
      withErrorMapping(parts.log, context, async () => {
        const actor = await requireScope(context, parts.checks, scopeOf(context))
        requireIds(context.method.input, request)
        return answer(forCall(await narrow(parts, context), context), request, actor)
      }),
  ])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each method of the service, under its own name
  return Object.fromEntries(served) as ServiceImpl<Service>
}
