import type { PaymentRow } from '../payments/find.ts'
import type { Entry } from './entry.ts'
import type { PaymentRecord } from './read-payment-record.ts'

type Move = PaymentRecord['moves'][number]

type Told = Pick<Entry, 'party' | 'sentence' | 'tone'>

/** A move as one entry. What Daraja said is told of the move that ended the payment. Pure. */
export const toMoveEntry = (move: Move, payment: PaymentRow): Entry => {
  const { cause, detail, from_state, to_state } = move
  const isOutcome = to_state === payment.state && (to_state === 'successful' || to_state === 'failed')
  const tone = toneOf(to_state)
  return {
    at: move.at,
    kind: 'moved',
    ...(tone !== null && { tone }),
    ...tellMove(move),
    details: [
      ['state', `${from_state} → ${to_state}`],
      ['cause', cause],
      ['detail', detail],
      ...(isOutcome ? outcomeOf(payment) : []),
      ...(cause === 'push_accepted' ? idsOf(payment) : []),
    ],
  }
}

const toneOf = (state: Move['to_state']): 'good' | 'bad' | null => {
  if (state === 'successful') return 'good'
  return state === 'failed' || state === 'unconfirmed' ? 'bad' : null
}

const outcomeOf = (payment: PaymentRow): [string, string | null][] => [
  [
    'result',
    payment.result_code === null ? null : `${payment.result_code} ${payment.result_desc ?? ''}`.trim(),
  ],
  ['receipt', payment.receipt],
  ['money moved', payment.state === 'successful' ? (payment.transaction_date?.toISOString() ?? null) : null],
]

const idsOf = (payment: PaymentRow): [string, string | null][] => [
  ['merchant_request_id', payment.merchant_request_id],
  ['checkout_request_id', payment.checkout_request_id],
]

const BECAUSE = (detail: string | null): string => (detail === null ? '' : `: ${detail}`)

/** Who did it, and what it was. A cause that a later release wrote is told by its name. */
const tellMove = ({ cause, detail, to_state: state, operator }: Move): Told => {
  switch (cause) {
    case 'taken_for_submission':
      return { party: 'gateway', sentence: 'The push to Daraja began.' }
    case 'push_accepted':
      return { party: 'daraja', sentence: 'Daraja took the push: the payer has the prompt.' }
    case 'push_refused':
      return {
        party: 'daraja',
        sentence: `Daraja refused the push, and nobody was prompted${BECAUSE(detail)}.`,
      }
    case 'push_to_be_repeated':
      return { party: 'daraja', sentence: `Daraja did nothing, and is asked again later${BECAUSE(detail)}.` }
    case 'push_outcome_unknown':
      return {
        party: 'gateway',
        sentence: `Nobody knows whether Daraja took the push${BECAUSE(detail)}. It is never sent again.`,
      }
    case 'submitter_lost':
      return {
        party: 'gateway',
        sentence: 'The process that pushed it ended: nobody knows whether the payer was prompted.',
      }
    case 'submit_deadline_passed':
      return {
        party: 'gateway',
        sentence: 'Its time to be prompted was over: it failed, and nobody was prompted.',
      }
    case 'partner_disabled':
      return { party: 'gateway', sentence: 'Its partner is disabled: it failed, and nobody was prompted.' }
    case 'callback':
      return { party: 'daraja', sentence: `By Daraja’s callback it is ${state}.` }
    case 'query':
      return { party: 'daraja', sentence: `Daraja was asked, and said that it is ${state}.` }
    case 'pull':
      return { party: 'daraja', sentence: `By M-PESA’s records it is ${state}.` }
    case 'cancelled':
      return { party: 'operator', sentence: `${operator ?? 'Somebody'} cancelled it${BECAUSE(detail)}.` }
    case 'operator':
      return {
        party: 'operator',
        sentence: `${operator ?? 'Somebody'} settled it as ${state}${BECAUSE(detail)}.`,
      }
    default:
      return { party: 'gateway', sentence: `It is ${state} (${cause})${BECAUSE(detail)}.` }
  }
}
