import { html, type SafeHtml } from '@remix-run/html-template'
import {
  type Attempt,
  ChangeOutcome,
  type Delivery,
  type DeliveryChange,
  DeliveryState,
} from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { createRedact } from '../../runtime/redact.ts'
import { suffices } from '../../values/operator-role.ts'
import { badge, type Content, facts, foreignText, section } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { table } from '../page/table.ts'
import { time } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import type { ActionCall, Call, Done } from '../route.ts'
import { paymentLink, tabs } from './delivery-list.ts'
import {
  deliveryAddress,
  errorText,
  hostLink,
  partnerText,
  stateBadge,
  waitsFor,
  whyText,
} from './delivery-words.ts'

/** Partners may have a payer's number in their URLs. */
const masked = createRedact()

/** The delivery that a path names. */
const idOf = ({ params }: Call): bigint => {
  const text = params['id'] ?? ''
  if (!/^[1-9]\d{0,17}$/.test(text)) throw new Refusal('not_found', 'There is no such delivery.')
  return BigInt(text)
}

/** `/deliveries/:id`: one with its attempts, and what may be done to it. */
export const deliveryPage = async (call: Call): Promise<Page> => {
  const { delivery, attempts } = await call.clients.deliveries.getDelivery({ deliveryId: idOf(call) })
  if (delivery === undefined) throw new Refusal('not_found', 'There is no such delivery.')
  return {
    title: `Delivery ${delivery.deliveryId}`,
    liveSeconds: 10,
    body: html`${tabs()}<div data-live="facts">${facts(factsOf(delivery))}</div>
${suffices(call.operator.role, 'mend') ? section('What can be done', verbs(delivery)) : ''}
${section('Attempts', attemptsOf(attempts), { live: 'attempts' })}`,
  }
}

const factsOf = (delivery: Delivery): (readonly [string, Content])[] => [
  ['State', stateBadge(delivery)],
  ['Why', whyText(delivery)],
  ['Waits', waitsFor(delivery)],
  ['Partner', partnerText(delivery)],
  ['Host', hostLink(delivery)],
  ['Payment', paymentLink(delivery.paymentId)],
  ['Callback URL', delivery.callbackUrl === undefined ? null : masked(delivery.callbackUrl)],
  ['webhook-id', delivery.webhookId],
  ['Outcome known', time(delivery.createdAt)],
  ['Held since', delivery.heldAt === undefined ? null : time(delivery.heldAt)],
  ['Ended', delivery.endedAt === undefined ? null : time(delivery.endedAt)],
]

const attemptsOf = (attempts: readonly Attempt[]): SafeHtml =>
  table({
    caption: 'The latest first; of an answer its first 4 kB, long runs of digits masked',
    none: 'None was made yet.',
    rows: attempts.toReversed(),
    columns: [
      { head: 'Attempt', cell: ({ number }) => number, kind: 'number' },
      { head: 'Started', cell: ({ startedAt }) => time(startedAt) },
      { head: 'What came of it', cell: outcomeOf },
      {
        head: 'Took',
        cell: ({ durationMs }) => (durationMs === undefined ? null : `${durationMs} ms`),
        kind: 'number',
      },
      { head: 'Address', cell: ({ address }) => address ?? null },
      { head: 'Answer', cell: ({ answer }) => (answer ? foreignText(answer) : null) },
    ],
  })

const outcomeOf = (attempt: Attempt): SafeHtml => {
  const failed = errorText(attempt)
  if (failed !== null) return badge(failed, 'bad')
  if (attempt.finishedAt === undefined) return badge('not known', 'plain')
  return badge(`HTTP ${attempt.status ?? ''}`, 'good')
}

const verbs = (delivery: Delivery): SafeHtml => {
  const address = deliveryAddress(delivery.deliveryId)
  const waits = delivery.state === DeliveryState.PENDING || delivery.state === DeliveryState.HELD
  const isDelivered = delivery.state === DeliveryState.DELIVERED
  const retry = postForm({
    action: `${address}/retry`,
    button: isDelivered ? 'Send it again' : 'Retry now',
    fields: [html`<p>${retryText(delivery)}</p>`, ...(isDelivered ? [hidden('again', 'yes')] : [])],
  })
  const cancel = postForm({
    action: `${address}/cancel`,
    button: 'Cancel it',
    tone: 'danger',
    fields: [
      field({
        name: 'reason',
        label: 'Why',
        required: true,
        hint: 'Kept with the delivery. A retry undoes it.',
      }),
    ],
  })
  return html`${retry}${waits ? cancel : ''}`
}

const retryText = (delivery: Delivery): string => {
  if (delivery.state === DeliveryState.HELD)
    return 'It becomes due now, and goes out when its endpoint lets it: the page of the endpoint has it asked at once.'
  if (delivery.state === DeliveryState.DELIVERED)
    return 'The partner has it. It gets the same once more, under the same webhook-id.'
  return 'It is attempted at once, under the same webhook-id.'
}

const SAID: Readonly<Record<ChangeOutcome, string>> = {
  [ChangeOutcome.UNSPECIFIED]: 'Nothing is known of it.',
  [ChangeOutcome.RETRIED]: 'It is due now.',
  [ChangeOutcome.HELD]: 'It is due, and held: it goes out when its endpoint is back or resumed.',
  [ChangeOutcome.CANCELLED]: 'It is cancelled. A retry undoes that.',
  [ChangeOutcome.UNDER_WAY]: 'Left alone: an attempt is under way.',
  [ChangeOutcome.ALREADY_DELIVERED]: 'Left alone: it was delivered.',
  [ChangeOutcome.ALREADY_ENDED]: 'Left alone: it has ended already.',
  [ChangeOutcome.NOT_FOUND]: 'There is no such delivery.',
  [ChangeOutcome.WAITING]: 'Left alone: it is due as soon.',
  [ChangeOutcome.OUTDATED]:
    'Left alone: its payment succeeded after this failure, and its partner is told of that.',
}

const doneWith = (deliveryId: bigint, changes: readonly DeliveryChange[]): Done => ({
  goTo: deliveryAddress(deliveryId),
  said: SAID[changes[0]?.outcome ?? ChangeOutcome.UNSPECIFIED],
})

/** Retries one delivery: one that was delivered is sent once more, for its button says so. */
export const retryOne = async (call: ActionCall): Promise<Done> => {
  const deliveryId = idOf(call)
  const sendDeliveredAgain = call.form.get('again') === 'yes'
  const { changes } = await call.clients.deliveries.retryDeliveries({
    deliveryIds: [deliveryId],
    sendDeliveredAgain,
  })
  return doneWith(deliveryId, changes)
}

export const cancelOne = async (call: ActionCall): Promise<Done> => {
  const deliveryId = idOf(call)
  const { changes } = await call.clients.deliveries.cancelDeliveries({
    deliveryIds: [deliveryId],
    reason: call.form.get('reason') ?? '',
  })
  return doneWith(deliveryId, changes)
}

export const backToOne = (call: ActionCall): string => `/deliveries/${call.params['id'] ?? ''}`
