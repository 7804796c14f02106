import type { Entry } from './entry.ts'
import type { PaymentRecord } from './read-payment-record.ts'

type Of = PaymentRecord['deliveries'][number]
type Attempt = Of['attempts'][number]
type Delivery = Of['delivery']

/** A delivery, each attempt to deliver it with the endpoint's answer, and how it stands. Pure. */
export const toDeliveryEntries = ({ delivery, attempts }: Of, moves: PaymentRecord['moves']): Entry[] => {
  const deliveryId = delivery.delivery_id
  const created: Entry = {
    at: outcomeAt(delivery, moves),
    party: 'gateway',
    kind: 'delivery',
    sentence: `The outcome is to be delivered to ${delivery.host}.`,
    details: [
      ['delivery', String(deliveryId)],
      ['webhook-id', delivery.webhook_id],
    ],
  }
  const entries = [created, ...attempts.map((attempt) => toAttemptEntry(delivery, attempt))]
  return [...entries, ...toStanding(delivery)].map((entry) => Object.assign(entry, { deliveryId }))
}

/** One statement writes the move and the delivery, whose time is its begin: the delivery is told after the move. */
const outcomeAt = ({ created_at: createdAt }: Delivery, moves: PaymentRecord['moves']): Date => {
  const move = moves.find(
    ({ at, to_state: state }) => at >= createdAt && (state === 'successful' || state === 'failed'),
  )
  return move !== undefined && move.at.getTime() - createdAt.getTime() < ONE_STATEMENT_MS
    ? move.at
    : createdAt
}

/** Longer than a statement takes, ms. */
const ONE_STATEMENT_MS = 30_000

const toAttemptEntry = ({ host }: Delivery, attempt: Attempt): Entry => ({
  at: attempt.started_at,
  party: 'partner',
  kind: 'attempt',
  ...tellAttempt(host, attempt),
  details: [
    ['error', attempt.error_class],
    ['address', attempt.address],
    ['took', attempt.duration_ms === null ? null : `${attempt.duration_ms} ms`],
  ],
  evidence: attempt.answer === '' ? null : attempt.answer,
})

const tellAttempt = (host: string, attempt: Attempt): Pick<Entry, 'sentence' | 'tone'> => {
  const { number, status, error_class: errorClass } = attempt
  if (attempt.finished_at === null)
    return { sentence: `Attempt ${number}: begun, and nobody wrote down how it ended.` }
  if (status !== null && errorClass === null)
    return { tone: 'good', sentence: `Attempt ${number}: ${host} answered ${status}.` }
  const what =
    status === null ? `no answer from ${host} (${errorClass ?? 'unknown'})` : `${host} answered ${status}`
  return { tone: 'bad', sentence: `Attempt ${number}: ${what}.` }
}

/** How it ended without having been delivered, or when it is attempted next. */
const toStanding = (delivery: Delivery): Entry[] => {
  const { state, ended_at: endedAt, reason } = delivery
  const because = reason === null ? '' : `: ${reason}`
  if (endedAt !== null && (state === 'dead' || state === 'cancelled')) {
    const what = state === 'dead' ? 'was given up' : 'was cancelled'
    const sentence = `The delivery to ${delivery.host} ${what}${because}.`
    const party = state === 'dead' ? 'gateway' : 'operator'
    return [{ at: endedAt, party, kind: 'delivery', tone: 'bad', sentence }]
  }
  const next = { party: 'gateway', kind: 'next_attempt', ahead: true } as const
  const { held_at: heldAt, held_until: until, next_attempt_at: dueAt } = delivery
  if (heldAt !== null) {
    const whom = `${delivery.host} is ${delivery.held_because ?? 'down'}`
    return [{ ...next, at: until ?? heldAt, tone: 'bad', sentence: `The delivery is held: ${whom}.` }]
  }
  if (dueAt === null) return []
  return [{ ...next, at: dueAt, sentence: `Attempt ${delivery.attempts + 1} is due.` }]
}
