import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { type PaymentService, type RequestPaymentRequest } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { requestIdOf, traceIdOf, unreadableFieldsOf } from '../../runtime/call-context.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import { isTestId, partnerIdOf } from '../../values/test-partner.ts'
import { findPayment } from '../payments/find.ts'
import { findBlankEndedKey, parsePaymentRequest } from '../request/payment-request.ts'
import { acceptPayment, answerRefused } from './accept-payment.ts'
import { requireReader, requireRequester } from './caller.ts'
import { answerCancel } from './cancel-payment.ts'
import { limitReached, noSuchPayment, requirePaymentId, withErrorMapping } from './errors.ts'
import { failure } from './failure.ts'
import { findPayments, getPayments } from './find-payments.ts'
import { forCall } from './for-call.ts'
import { answerListDeliveries, answerResend, answerResendMany } from './payment-deliveries.ts'
import { toPaymentMessage } from './payment-message.ts'
import type { PaymentServiceParts } from './payment-service-parts.ts'

/** The one implementation of PaymentService, for REST, gRPC and Connect. */
export const createPaymentService = (parts: PaymentServiceParts): ServiceImpl<typeof PaymentService> => ({
  requestPayment: (request, context) =>
    withErrorMapping(parts.log, context, () => requestPayment(parts, request, context)),
  getPayment: ({ paymentId }, context) =>
    withErrorMapping(parts.log, context, () => getPayment(forCall(parts, context), paymentId, context)),
  listPayments: (request, context) =>
    withErrorMapping(parts.log, context, () => findPayments(forCall(parts, context), request, context)),
  batchGetPayments: (request, context) =>
    withErrorMapping(parts.log, context, () => getPayments(forCall(parts, context), request, context)),
  cancelPayment: (request, context) =>
    withErrorMapping(parts.log, context, () => answerCancel(parts, request, context)),
  resendOutcome: (request, context) =>
    withErrorMapping(parts.log, context, () => answerResend(parts, request, context)),
  resendOutcomes: (request, context) =>
    withErrorMapping(parts.log, context, () => answerResendMany(parts, request, context)),
  listPaymentDeliveries: (request, context) =>
    withErrorMapping(parts.log, context, () =>
      answerListDeliveries(forCall(parts, context), request, context),
    ),
})

const requestPayment = async (
  parts: PaymentServiceParts,
  message: RequestPaymentRequest,
  context: HandlerContext,
): Promise<{ paymentId: bigint; duplicate: boolean }> => {
  const { partner } = await requireRequester(context, parts.checks)
  const { partnerId } = partner
  const storedKey = await findBlankEndedKey(parts.database, partnerId, message.idempotencyKey)
  const bounds = { callbackHosts: partner.callbackHosts, maxPaymentKes: partner.maxPaymentKes, storedKey }
  const unreadable = unreadableFieldsOf(context)
  const parsed = parsePaymentRequest(message, { policy: parts.callbackUrlPolicy, bounds, unreadable })
  const { request, acceptance } =
    'refusal' in parsed
      ? await answerRefused(parts, { partnerId, message, storedKey, unreadable, refusal: parsed.refusal })
      : { request: parsed.request, acceptance: await acceptPayment(parts, partner, parsed.request) }
  const isTest = isTestId(partnerId)
  if (!isTest) parts.metrics.requested(acceptance.kind)
  parts.log.info({
    event: `payment_${acceptance.kind}`,
    payment_id: acceptance.kind === 'limited' ? undefined : Number(acceptance.paymentId),
    reason: acceptance.kind === 'limited' ? acceptance.reason : undefined,
    partner_id: Number(partnerIdOf(partnerId)),
    test: isTest || undefined,
    request_id: requestIdOf(context),
    trace_id: traceIdOf(context),
    msisdn: maskMsisdn(request.msisdn),
    amount_kes: request.amountKes,
  })
  if (acceptance.kind === 'limited') throw limitReached(acceptance, partner)
  if (acceptance.kind === 'key_reused') {
    throw failure('IDEMPOTENCY_KEY_REUSED', 'this idempotency key was used for a payment with other fields')
  }
  if (acceptance.kind === 'accepted') {
    parts.overload.accepted(partner.accountId)
    parts.onAccepted()
  }
  return { paymentId: acceptance.paymentId, duplicate: acceptance.kind === 'duplicate' }
}

const getPayment = async (parts: PaymentServiceParts, paymentId: bigint, context: HandlerContext) => {
  const reader = await requireReader(context, parts.checks)
  requirePaymentId(paymentId)
  const row = await findPayment(parts.database, reader, paymentId)
  if (!row) throw noSuchPayment()
  return { payment: toPaymentMessage(row) }
}
