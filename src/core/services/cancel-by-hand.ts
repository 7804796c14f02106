import { parseReason } from '../deliveries/reason.ts'
import { findPayment } from '../payments/find.ts'
import { cancelPayment } from '../settle/cancel-payment.ts'
import { toMaskedPayment } from './masked.ts'
import { type PaymentOperationsMethods as Methods, noPayment } from './payment-operations-parts.ts'
import { Refused, wrongField } from './refused.ts'

/** PaymentOperationsService.CancelPaymentByHand. */
export const answerCancelByHand: Methods['cancelPaymentByHand'] = async (parts, request, actor) => {
  const { database, reader: owner } = parts
  const { paymentId } = request
  const reason = request.reason === undefined ? null : parseReason(request.reason)
  if (reason?.ok === false) throw wrongField('reason', reason.problem)
  const cancelled = await cancelPayment({ database, owner, paymentId, actor, reason: reason?.value ?? null })
  switch (cancelled.kind) {
    case 'not_found':
      throw noPayment(paymentId)
    case 'refused':
      throw new Refused(
        'not_possible',
        `payment ${paymentId} is ${cancelled.state}: only one that nobody has been prompted for can be cancelled; nothing was changed`,
      )
    case 'cancelled':
      break
    default:
      return cancelled satisfies never
  }
  if (cancelled.settlement !== null) parts.onSettled(cancelled.settlement)
  const payment = await findPayment(database, owner, paymentId)
  if (payment === undefined) throw noPayment(paymentId)
  return { payment: toMaskedPayment(payment), isNew: cancelled.settlement !== null }
}
