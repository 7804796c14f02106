import type { PulledTransaction } from '../daraja/pull.ts'
import type { UniqueReferences } from '../daraja/unique-reference.ts'
import type { Evidence } from '../settle/evidence.ts'
import type { Finding } from '../settle/findings.ts'
import type { ToConfirm } from './take-confirmations.ts'

/**
 * Which of the transactions in M-PESA's records belong to the payments that are looked for. Exact only: the reference
 * names the payment, and the amount is the one that was asked for. A payer can type our reference into M-PESA by hand
 * with any amount, which pays for nothing: that is a finding, for an operator to settle. So is a reference that a
 * process of the release before issued for a payment with a nonce. Pure.
 */
export const findPulled = (options: {
  references: UniqueReferences
  payments: readonly ToConfirm[]
  transactions: readonly PulledTransaction[]
}): { evidence: Evidence[]; findings: Finding[] } => {
  const wanted = new Map(options.payments.map((payment) => [payment.paymentId, payment]))
  const nonces = new Map(options.payments.map(({ paymentId, nonce }) => [paymentId, nonce]))
  const evidence: Evidence[] = []
  const findings: Finding[] = []
  for (const transaction of options.transactions) {
    const named = options.references.read(transaction.reference, nonces)
    const payment = named === null ? undefined : wanted.get(named.paymentId)
    if (!named || !payment) continue
    if (payment.amountKes !== transaction.amountKes) findings.push(toDifferentAmount(payment, transaction))
    else if (named.isProven) evidence.push(toEvidence(payment, transaction))
    else findings.push(toNotProven(payment, transaction))
  }
  return { evidence, findings }
}

const toEvidence = ({ paymentId }: ToConfirm, transaction: PulledTransaction): Evidence => ({
  paymentId,
  outcome: 'successful',
  cause: 'pull',
  resultCode: '0',
  resultDesc: 'Found paid in the records of M-PESA.',
  receipt: transaction.receipt,
  amountKes: transaction.amountKes,
  transactionDate: transaction.transactionDate,
  merchantRequestId: null,
  checkoutRequestId: null,
})

const toDifferentAmount = ({ paymentId, amountKes }: ToConfirm, transaction: PulledTransaction): Finding => ({
  paymentId,
  kind: 'different_amount',
  detail: `pull: KES ${transaction.amountKes} paid under ${transaction.receipt}, KES ${amountKes} asked for`,
})

const toNotProven = ({ paymentId }: ToConfirm, { amountKes, receipt }: PulledTransaction): Finding => ({
  paymentId,
  kind: 'not_proven',
  detail: `pull: KES ${amountKes} paid under ${receipt}, with a reference that does not hold the nonce`,
})
