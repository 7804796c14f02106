import { PaymentState } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { PAYMENT_STATES } from '../../values/payment-state.ts'
import type { ExceptionCount } from '../statements/count-found.ts'
import { describeException } from '../statements/describe-exception.ts'
import type { ExceptionRow } from '../statements/list-exceptions.ts'
import type { StatementRow } from '../statements/list-statements.ts'
import { masked, maskedOrUnset } from './masked.ts'
import { toTimestamp } from './message-fields.ts'

/** A statement as a message. */
export const toStatementMessage = (row: StatementRow) => ({
  statementId: row.id,
  fileName: masked(row.file_name),
  shortcode: row.shortcode,
  coversFrom: toTimestamp(row.covers_from),
  coversTo: toTimestamp(row.covers_to),
  importedAt: toTimestamp(row.imported_at),
  importedBy: row.imported_by,
  lines: row.lines,
  paidLines: row.paid_lines,
  paidCents: row.paid_cents,
  withdrawnCents: row.withdrawn_cents,
  knownLines: row.known_lines,
})

/** What does not fit as a message, with its sentence. */
export const toExceptionMessage = (row: ExceptionRow) => {
  const { sentence, advice, command } = describeException({
    id: row.id,
    kind: row.kind,
    receipt: row.receipt,
    otherReceipt: row.other_receipt,
    paymentId: row.payment_id,
    provenId: row.proven_id,
    paidCents: row.paid_cents,
    otherCents: row.other_cents,
    completedAt: row.completed_at,
    askedKes: row.amount_kes,
    state: row.state,
    paidBy: row.paid_by,
    isPaidElsewhere: row.is_paid_elsewhere,
    isPaidBefore: row.is_paid_before,
  })
  return {
    exceptionId: row.id,
    statementId: row.statement_id,
    kind: row.kind,
    state: row.exception_state,
    sentence,
    advice,
    command: command ?? undefined,
    receipt: row.receipt ?? undefined,
    otherReceipt: row.other_receipt ?? undefined,
    paymentId: row.payment_id ?? undefined,
    partnerId: row.partner_id ?? undefined,
    paymentState: row.state === null ? PaymentState.UNSPECIFIED : PAYMENT_STATES[row.state],
    amountKes: row.amount_kes ?? undefined,
    paidCents: row.paid_cents ?? undefined,
    completedAt: toTimestamp(row.completed_at),
    reference: maskedOrUnset(row.reference),
    acknowledgedAt: toTimestamp(row.acknowledged_at),
    acknowledgedBy: row.acknowledged_by ?? undefined,
    note: maskedOrUnset(row.note),
  }
}

export const toCountMessage = ({ kind, exceptions, open, open_or_more }: ExceptionCount) => ({
  kind,
  exceptions,
  open,
  openOrMore: open_or_more,
})
