import type { Log } from '../../runtime/log.ts'
import { type CoreMetrics, UNCOUNTED } from '../metrics.ts'
import type { Settlement } from './decide.ts'
import type { Finding } from './findings.ts'

/**
 * Reports what each piece of evidence did, once its transaction is committed: a line in the log, an error where reports
 * contradict each other, and a count of what was settled and found.
 */
export const reportSettlements = (
  parts: { log: Log; metrics: CoreMetrics },
  settlements: readonly Settlement[],
): void => {
  for (const settlement of settlements) {
    logSettlement(parts.log, settlement)
    const { decision, evidence, findings, isTest } = settlement
    const metrics = isTest ? UNCOUNTED : parts.metrics
    const { cause, resultCode } = evidence
    if (decision.kind === 'move') metrics.settled({ outcome: decision.to, cause, resultCode })
    reportFindings({ log: parts.log, metrics }, findings)
  }
}

/** Reports what did not fit. The detail, which may hold a CheckoutRequestID, stays in the database. */
export const reportFindings = (
  { log, metrics }: { log: Log; metrics: CoreMetrics },
  findings: readonly Finding[],
): void => {
  for (const { paymentId, kind } of findings) {
    metrics.found(kind)
    log.error({ event: 'payment_finding', kind, payment_id: Number(paymentId) })
  }
}

const logSettlement = (log: Log, { evidence, from, decision, isTest }: Settlement): void => {
  const lineOf = (about: { event: string; from?: string; state?: string }) => {
    const { event, ...states } = about
    const { paymentId, cause, resultCode } = evidence
    const test = isTest ? { test: true } : {}
    return { event, payment_id: Number(paymentId), cause, result_code: resultCode, ...states, ...test }
  }
  if (from === null) return log.warn(lineOf({ event: 'payment_not_found' }))
  switch (decision.kind) {
    case 'move':
      return log.info(lineOf({ event: `payment_${decision.to}`, from }))
    case 'fill_in_receipt':
      return log.info(lineOf({ event: 'receipt_filled_in' }))
    case 'known':
      return log.info(lineOf({ event: 'outcome_known_already', state: from }))
    case 'contradiction':
      return log.info(lineOf({ event: 'failure_after_success', state: from }))
    case 'not_believed':
      return log.warn(lineOf({ event: 'evidence_not_believed', state: from }))
    case 'wait':
      return log.debug(lineOf({ event: 'evidence_waits' }))
    default:
      return decision satisfies never
  }
}
