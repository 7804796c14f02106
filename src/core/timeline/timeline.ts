import type { PaymentRow } from '../payments/find.ts'
import { toDeliveryEntries } from './delivery-entries.ts'
import type { Entry } from './entry.ts'
import { toMoveEntry } from './move-entries.ts'
import { toCallbackEntry, toDutyEntry, toFindingEntry, toHandEntry } from './other-entries.ts'
import type { PaymentRecord } from './read-payment-record.ts'

/** All that came of a payment, by all parties, oldest first; what is to come stands last. Pure. */
export const toTimeline = (record: PaymentRecord): Entry[] => {
  const { payment } = record
  const entries = [
    toRequestEntry(payment, record.partnerName),
    ...record.moves.map((move) => toMoveEntry(move, payment)),
    ...record.callbacks.map(toCallbackEntry),
    ...record.findings.map(toFindingEntry),
    ...record.deliveries.flatMap((one) => toDeliveryEntries(one, record.moves)),
    ...record.byHand.flatMap((line) => toHandEntry(line) ?? []),
    ...record.duties.flatMap((duty) => toDutyEntry(duty, payment) ?? []),
  ]
  // Stable: what happened in one instant stays in the order above.
  return entries.toSorted(
    (one, other) =>
      Number(one.ahead ?? false) - Number(other.ahead ?? false) || one.at.getTime() - other.at.getTime(),
  )
}

const toRequestEntry = (payment: PaymentRow, partnerName: string | null): Entry => ({
  at: payment.created_at,
  party: 'partner',
  kind: 'requested',
  sentence: `${partnerName ?? 'Its partner'} asked ${payment.msisdn} for ${payment.amount_kes} KES, and the payment was accepted.`,
  details: [
    ['reference', payment.reference],
    ['callback_url', payment.callback_url],
    ['prompted until', payment.submit_by.toISOString()],
    ['metadata', payment.metadata === null ? null : JSON.stringify(payment.metadata)],
  ],
})
