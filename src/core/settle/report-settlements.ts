import type { Log } from '../../runtime/log.ts'
import type { CoreMetrics } from '../metrics.ts'
import type { Settlement } from './decide.ts'
import type { Finding } from './findings.ts'

/**
 * Tells what each piece of evidence did, once its transaction is committed: a line in the log, loud where truths collide, and
 * a count of what was settled and found.
 */
export const reportSettlements = (
  parts: { log: Log; metrics: CoreMetrics },
  settlements: readonly Settlement[],
): void => {
  for (const settlement of settlements) {
    logSettlement(parts.log, settlement)
    const { decision, evidence, findings } = settlement
    if (decision.kind === 'move') parts.metrics.settled({ outcome: decision.to, cause: evidence.cause })
    reportFindings(parts, findings)
  }
}

/** Tells what did not fit. The detail, which may hold a CheckoutRequestID, stays in the database. */
export const reportFindings = (
  { log, metrics }: { log: Log; metrics: CoreMetrics },
  findings: readonly Finding[],
): void => {
  for (const { paymentId, kind } of findings) {
    metrics.found(kind)
    log.error({ event: 'payment_finding', kind, payment_id: Number(paymentId) })
  }
}

const logSettlement = (log: Log, { evidence, from, decision }: Settlement): void => {
  const about = {
    payment_id: Number(evidence.paymentId),
    cause: evidence.cause,
    result_code: evidence.resultCode,
  }
  if (from === null) return log.warn({ event: 'payment_not_found', ...about })
  switch (decision.kind) {
    case 'move':
      return log.info({ event: `payment_${decision.to}`, ...about, from })
    case 'fill_in_receipt':
      return log.info({ event: 'receipt_filled_in', ...about })
    case 'known':
      return log.info({ event: 'outcome_known_already', ...about, state: from })
    case 'contradiction':
      return log.info({ event: 'failure_after_success', ...about, state: from })
    case 'not_believed':
      return log.warn({ event: 'evidence_not_believed', ...about, state: from })
    case 'wait':
      return log.debug({ event: 'evidence_waits', ...about })
    default:
      return decision satisfies never
  }
}
