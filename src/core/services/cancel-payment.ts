import type { HandlerContext } from '@connectrpc/connect'
import type { CancelPaymentRequest } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import type { PaymentStateName } from '../../values/payment-state.ts'
import { parseReason } from '../deliveries/reason.ts'
import { findPayment } from '../payments/find.ts'
import { cancelPayment } from '../settle/cancel-payment.ts'
import { reportSettlements } from '../settle/report-settlements.ts'
import { requireRequester } from './caller.ts'
import { noSuchPayment, requirePaymentId } from './errors.ts'
import { failure } from './failure.ts'
import { toPaymentMessage } from './payment-message.ts'
import type { PaymentServiceParts } from './payment-service-parts.ts'
import { wrongField } from './refused.ts'

/** PaymentService.CancelPayment. */
export const answerCancel = async (
  parts: PaymentServiceParts,
  { paymentId, reason }: CancelPaymentRequest,
  context: HandlerContext,
) => {
  const { partner, actor } = await requireRequester(context, parts.checks)
  requirePaymentId(paymentId)
  const { database } = parts
  const traced = parts.traces?.settling()
  const cancelled = await cancelPayment({
    database,
    owner: partner,
    paymentId,
    actor,
    reason: reason === undefined ? null : readReason(reason),
  })
  switch (cancelled.kind) {
    case 'not_found':
      throw noSuchPayment()
    case 'refused':
      throw failure('NOT_POSSIBLE', refusalOf(cancelled.state, cancelled.resultCode))
    case 'cancelled':
      break
    default:
      return cancelled satisfies never
  }
  if (cancelled.settlement !== null) {
    reportSettlements(parts, [cancelled.settlement])
    traced?.([cancelled.settlement])
    parts.onDeliveriesDue()
  }
  const payment = await findPayment(database, partner, paymentId)
  if (payment === undefined) throw noSuchPayment()
  return { payment: toPaymentMessage(payment) }
}

const readReason = (text: string): string => {
  const reason = parseReason(text)
  if (!reason.ok) throw wrongField('reason', reason.problem)
  return reason.value
}

const refusalOf = (state: PaymentStateName, resultCode: string | null): string => {
  const why = WHY_NOT[state]
  const code = resultCode === null || state === 'successful' ? '' : ` with result_code ${resultCode}`
  return `the payment is ${state}${code} and cannot be cancelled: ${why}`
}

/** Why a payment in a state cannot be cancelled. */
const WHY_NOT: Readonly<Record<PaymentStateName, string>> = {
  accepted: 'it is being changed just now, ask again',
  submitting: 'its payer is being prompted',
  submitted: 'its payer has the prompt, and may decline it',
  unconfirmed: 'its payer may have the prompt',
  successful: 'it is paid',
  failed: 'it has ended',
}
