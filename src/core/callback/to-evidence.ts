import type { StkCallback } from '../daraja/parse-callback.ts'
import type { Evidence } from '../settle/evidence.ts'
import type { DueCallback } from './due-callbacks.ts'

/** What a callback says of the payment that its URL names. Pure. */
export const toEvidence = (
  { payment_id, nonce }: Pick<DueCallback, 'payment_id' | 'nonce'>,
  content: StkCallback,
): Evidence => {
  const isPaid = content.resultCode === '0'
  return {
    paymentId: payment_id,
    outcome: isPaid ? 'successful' : 'failed',
    cause: 'callback',
    resultCode: content.resultCode,
    resultDesc: content.resultDesc,
    receipt: content.receipt,
    // That nothing moved is what a failure is, not another amount.
    amountKes: !isPaid && content.amountKes === 0 ? null : content.amountKes,
    transactionDate: isPaid ? content.transactionDate : null,
    merchantRequestId: content.merchantRequestId,
    checkoutRequestId: content.checkoutRequestId,
    callback: { nonce, payerMsisdn: content.payerMsisdn },
  }
}
