import { truncateText } from '../../values/outside-text.ts'
import type { AuditLine } from '../audit/list-audit.ts'
import { type ParsedCallback, parseCallback } from '../daraja/parse-callback.ts'
import type { PaymentRow } from '../payments/find.ts'
import type { Entry } from './entry.ts'
import type { OpenDuty, PaymentRecord, ReceivedCallback } from './read-payment-record.ts'

/** How much of a callback's bytes is shown, characters. */
const MAX_EVIDENCE = 8_000

/** What Daraja posted, as it came. Pure. */
export const toCallbackEntry = (callback: ReceivedCallback): Entry => ({
  at: callback.received_at,
  party: 'daraja',
  kind: 'callback',
  sentence: callback.is_refused
    ? 'A callback came from an address that may not call back: it is kept, and never believed.'
    : tellCallback(parseCallback(callback.body)),
  ...(callback.is_refused && { tone: 'bad' as const }),
  details: [
    ['from', callback.source_address],
    ['bytes', String(callback.body.length)],
  ],
  evidence: truncateText(callback.body.toString('utf8'), MAX_EVIDENCE),
})

const tellCallback = (parsed: ParsedCallback): string => {
  if (parsed.kind === 'not_understood')
    return `Daraja called back, which is not understood: ${parsed.reason}.`
  if (parsed.outcome === 'successful') {
    const receipt = parsed.receipt === null ? 'without a receipt' : `receipt ${parsed.receipt}`
    return `Daraja called back: paid, ${receipt}.`
  }
  return `Daraja called back: not paid, ${parsed.resultCode} ${parsed.resultDesc}`
    .trimEnd()
    .replace(/\.?$/, '.')
}

/** What did not fit. Pure. */
export const toFindingEntry = (finding: PaymentRecord['findings'][number]): Entry => ({
  at: finding.at,
  party: 'gateway',
  kind: 'finding',
  ...(finding.acknowledged_at === null && { tone: 'bad' as const }),
  sentence: `This does not fit (${finding.kind.replaceAll('_', ' ')}): ${finding.detail}`,
  details: [
    ['finding', String(finding.id)],
    ['acknowledged', finding.acknowledged_at?.toISOString() ?? null],
    ['by', finding.acknowledged_by],
    ['note', finding.note],
  ],
  findingId: finding.id,
})

/** What these did stands in the payment's history, or beside the finding. */
const TOLD_ELSEWHERE = new Set(['settled', 'acknowledged'])

/** What somebody did by hand; null for what is told elsewhere. Pure. */
export const toHandEntry = (line: AuditLine): Entry | null => {
  const action = isFillingIn(line) ? 'filled_in' : line.action
  if (line.subject.startsWith('payment ') && (TOLD_ELSEWHERE.has(action) || action === 'cancelled'))
    return null
  return {
    at: line.at,
    party: line.actor.startsWith('partner ') ? 'partner' : 'operator',
    kind: 'by_hand',
    sentence:
      `${line.actor} ${TOLD[action] ?? action} ${line.action === 'revealed' ? 'of' : ''} ${line.subject}.`.replaceAll(
        '  ',
        ' ',
      ),
    details: [
      ['from', line.from],
      ['before', line.before === null ? null : JSON.stringify(line.before)],
      ['after', line.after === null ? null : JSON.stringify(line.after)],
    ],
  }
}

/** A paid payment is settled by hand to fill in its receipt, which is no move. */
const isFillingIn = ({ action, before }: AuditLine): boolean =>
  action === 'settled' && before?.['state'] === 'successful'

const TOLD: Readonly<Record<string, string>> = {
  filled_in: 'filled in the receipt of',
  revealed: 'looked at the whole number',
  approval_asked: 'asked another operator to approve a change of',
  approval_approved: 'approved a change of',
  approval_refused: 'refused a change of',
}

/** What the gateway is still to do; null where it is no use any more. Pure. */
export const toDutyEntry = ({ duty, due_at: at, times }: OpenDuty, payment: PaymentRow): Entry | null => {
  if (payment.state === 'successful' || payment.state === 'failed') return null
  const party = 'gateway'
  const soFar = [['so far', `${times} times`] as const]
  if (duty === 'push')
    return { at, party, kind: 'push', ahead: true, sentence: 'Its payer is to be prompted.' }
  const sentence =
    duty === 'query' ? 'Daraja is to be asked for the outcome.' : 'M-PESA’s records are to be looked through.'
  return { at, party, kind: 'query', ahead: true, sentence, ...(times > 0 && { details: soFar }) }
}
