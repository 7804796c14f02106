import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type {
  ListPaymentsRequest,
  PaymentSchema,
  PaymentService,
  RequestPaymentRequest,
} from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { requestIdOf, unreadableFieldsOf } from '../../runtime/call-context.ts'
import type { Log } from '../../runtime/log.ts'
import type { CallbackUrlPolicy } from '../../values/callback-url.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import { PAYMENTS_PAGE } from '../../values/page-size.ts'
import { PAYMENT_STATES, toPaymentStateName } from '../../values/payment-state.ts'
import type { CoreMetrics } from '../metrics.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import { findPayment, listPayments, listUndeliveredPayments, type PaymentRow } from '../payments/find.ts'
import type { Acceptor } from '../request/accept.ts'
import type { LimitedAcceptor } from '../request/accept-limited.ts'
import { type AcceptLimits, isWithoutLimit, type PayerLimits } from '../request/payer-limits.ts'
import { findBlankEndedKey, parsePaymentRequest } from '../request/payment-request.ts'
import { requireReader, requireRequester } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField, limitReached, withErrorMapping } from './errors.ts'
import { readPageSize } from './message-fields.ts'

export type PaymentServiceParts = {
  database: Database
  acceptor: Acceptor
  limitedAcceptor: LimitedAcceptor
  payerLimits: PayerLimits
  checks: CallerChecks
  callbackUrlPolicy: CallbackUrlPolicy
  log: Log
  metrics: CoreMetrics
  /** Called after a payment became durable: somebody may prompt its payer now. */
  onAccepted: () => void
}

/** The one implementation of PaymentService, for REST, gRPC and Connect. */
export const createPaymentService = (parts: PaymentServiceParts): ServiceImpl<typeof PaymentService> => ({
  requestPayment: (request, context) =>
    withErrorMapping(parts.log, context, () => requestPayment(parts, request, context)),
  getPayment: ({ paymentId }, context) =>
    withErrorMapping(parts.log, context, () => getPayment(parts, paymentId, context)),
  listPayments: (request, context) =>
    withErrorMapping(parts.log, context, () => list(parts, request, context)),
})

const requestPayment = async (
  parts: PaymentServiceParts,
  message: RequestPaymentRequest,
  context: HandlerContext,
): Promise<{ paymentId: bigint; duplicate: boolean }> => {
  const partner = await requireRequester(context, parts.checks)
  const { partnerId } = partner
  const storedKey = await findBlankEndedKey(parts.database, partnerId, message.idempotencyKey)
  const bounds = { callbackHosts: partner.callbackHosts, maxPaymentKes: partner.maxPaymentKes, storedKey }
  const parsed = parsePaymentRequest(message, {
    policy: parts.callbackUrlPolicy,
    bounds,
    unreadable: unreadableFieldsOf(context),
  })
  if ('refusal' in parsed) throw invalidField(parsed.refusal.field, parsed.refusal.problem)
  const { request } = parsed
  const limits = limitsOf(parts, partner)
  const acceptance = await (limits === undefined
    ? parts.acceptor.add({ partnerId, request })
    : parts.limitedAcceptor.add({ partnerId, request, limits }))
  parts.metrics.requested(acceptance.kind)
  parts.log.info({
    event: `payment_${acceptance.kind}`,
    payment_id: acceptance.kind === 'limited' ? undefined : Number(acceptance.paymentId),
    reason: acceptance.kind === 'limited' ? acceptance.reason : undefined,
    partner_id: Number(partnerId),
    request_id: requestIdOf(context),
    msisdn: maskMsisdn(request.msisdn),
    amount_kes: request.amountKes,
  })
  if (acceptance.kind === 'limited') throw limitReached(acceptance, partner)
  if (acceptance.kind === 'key_reused') {
    throw new ConnectError(
      'this idempotency key was used for a payment with other fields',
      Code.FailedPrecondition,
    )
  }
  if (acceptance.kind === 'accepted') parts.onAccepted()
  return { paymentId: acceptance.paymentId, duplicate: acceptance.kind === 'duplicate' }
}

/** The limits that a request of the partner is to keep; undefined when there are none. */
const limitsOf = (parts: PaymentServiceParts, partner: CallingPartner): AcceptLimits | undefined => {
  const limits = { ...parts.payerLimits, maxDailyKes: partner.maxDailyKes }
  return isWithoutLimit(limits) ? undefined : limits
}

const getPayment = async (parts: PaymentServiceParts, paymentId: bigint, context: HandlerContext) => {
  const reader = await requireReader(context, parts.checks)
  const row = await findPayment(parts.database, reader, paymentId)
  if (!row) throw new ConnectError('there is no such payment', Code.NotFound)
  return { payment: toPaymentMessage(row) }
}

const list = async (parts: PaymentServiceParts, request: ListPaymentsRequest, context: HandlerContext) => {
  const owner = await requireReader(context, parts.checks)
  const pageSize = unreadableFieldsOf(context).includes('page_size') ? null : request.pageSize
  const limit = readPageSize(pageSize, PAYMENTS_PAGE)
  const state = request.state === undefined ? null : toPaymentStateName(request.state)
  if (request.state !== undefined && state === null)
    throw invalidField('state', 'must be a state of payments')
  const before = request.before ?? null
  if (before !== null && before < 1n) throw invalidField('before', 'must be a positive payment id')
  // One more than the page shows whether there is a next one.
  const find = request.undeliveredOnly ? listUndeliveredPayments : listPayments
  const rows = await find({ database: parts.database, owner, limit: limit + 1, before, state })
  const page = rows.slice(0, limit)
  return {
    payments: page.map(toPaymentMessage),
    nextBefore: rows.length > limit ? page.at(-1)?.id : undefined,
  }
}

/** A payment as the services return it. */
const toPaymentMessage = (row: PaymentRow): MessageInitShape<typeof PaymentSchema> => ({
  paymentId: row.id,
  partnerId: row.partner_id,
  state: PAYMENT_STATES[row.state],
  msisdn: row.msisdn,
  amountKes: row.amount_kes,
  reference: row.reference ?? undefined,
  callbackUrl: row.callback_url,
  createdAt: timestampFromDate(row.created_at),
  merchantRequestId: row.merchant_request_id ?? undefined,
  checkoutRequestId: row.checkout_request_id ?? undefined,
  resultCode: row.result_code ?? undefined,
  resultDesc: row.result_desc ?? undefined,
  receipt: row.receipt ?? undefined,
  ...(row.transaction_date !== null && { transactionDate: timestampFromDate(row.transaction_date) }),
})
