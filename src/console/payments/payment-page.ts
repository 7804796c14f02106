import { html, type SafeHtml } from '@remix-run/html-template'
import type { GetPaymentTimelineResponse } from '../../gen/mpesa/gateway/v1/payment_timeline_pb.js'
import { type Payment, PaymentState } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { type OperatorRole, suffices } from '../../values/operator-role.ts'
import { type Content, facts, link, notice, section } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { partnerLink, stateBadge } from '../page/payment-words.ts'
import { readId } from '../page/read-id.ts'
import { time } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import type { Call } from '../route.ts'
import { timelineView } from './timeline-view.ts'

/** A payment's whole number, once somebody asked for it. */
export type Revealed = { msisdn: string; checkoutRequestId?: string | undefined }

/** One payment: what is known of it, its timeline, and what may be done to it. */
export const paymentPage = async (call: Call, revealed: Revealed | null = null): Promise<Page> => {
  const { payment, timeline } = await readPayment(call)
  return {
    title: `Payment ${payment.paymentId}`,
    ...(revealed === null && { liveSeconds: 15 }),
    body: html`${payment.test ? notice('plain', 'A test payment: no money moves.') : ''}
<div data-live="facts">${factsOf(payment, revealed)}</div>
${section('Timeline', timelineView(timeline.entries), { live: 'timeline' })}
${verbs(payment, timeline, call.operator.role)}`,
  }
}

/** The payment of the path with its timeline. Throws `Refusal` when there is none. */
export const readPayment = async (
  call: Call,
): Promise<{ payment: Payment; timeline: GetPaymentTimelineResponse }> => {
  const paymentId = readId(call.params['id'], 'payment')
  const timeline = await call.clients.payments.getPaymentTimeline({ paymentId })
  const { payment } = timeline
  if (payment === undefined) throw new Refusal('not_found', `There is no payment ${paymentId}.`)
  return { payment, timeline }
}

const factsOf = (payment: Payment, revealed: Revealed | null): SafeHtml => {
  const { paymentId, failure } = payment
  const of = (same: string): SafeHtml =>
    link(`/payments?${same}=${paymentId}${payment.test ? '&test=on' : ''}`, 'others')
  const rows: (readonly [string, Content])[] = [
    ['State', stateBadge(payment.state)],
    ['Amount', `${payment.amountKes} KES`],
    ['Payer', html`<span class="msisdn">${revealed?.msisdn ?? payment.msisdn}</span> ${of('payer_of')}`],
    ['Partner', partnerLink(payment.partnerId)],
    ['Reference', payment.reference === undefined ? null : html`${payment.reference} ${of('reference_of')}`],
    ['Receipt', payment.receipt ?? null],
    ['Result', payment.resultCode === undefined ? null : `${payment.resultCode} ${payment.resultDesc ?? ''}`],
    ['Why it failed', failure?.message?.en ?? null],
    ['Accepted', time(payment.createdAt)],
    ['Money moved', payment.state === PaymentState.SUCCESSFUL ? time(payment.transactionDate) : null],
    ['Told at', payment.callbackUrl],
    ['Daraja’s id', revealed?.checkoutRequestId ?? payment.checkoutRequestId ?? null],
  ]
  return facts(rows.filter(([, value]) => value !== null))
}

/** A failed one was paid all the same, if M-PESA's statement shows it; a paid one stays paid. */
/** What a paid one may lack is its receipt. */
const maySettle = ({ state, receipt }: Payment): boolean =>
  state !== PaymentState.SUCCESSFUL || receipt === undefined

const hasEnded = ({ state }: Payment): boolean =>
  state === PaymentState.SUCCESSFUL || state === PaymentState.FAILED

/** What may be done to it, by this operator. */
const verbs = (payment: Payment, timeline: GetPaymentTimelineResponse, role: OperatorRole): SafeHtml => {
  if (!suffices(role, 'mend')) return html``
  const at = `/payments/${payment.paymentId}`
  const may = suffices(role, 'money')
  const told = timeline.entries.some(({ kind }) => kind === 'delivery')
  return section(
    'What you can do',
    html`<div class="verbs">${postForm({ action: `${at}/reveal`, button: 'Show the whole number' })}${
      told ? postForm({ action: `${at}/resend`, button: 'Send the outcome again' }) : ''
    }${payment.state === PaymentState.ACCEPTED ? cancelForm(at) : ''}${
      may && maySettle(payment) ? html`<p>${link(`${at}/settle`, 'Settle by hand')}</p>` : ''
    }${may && hasEnded(payment) ? html`<p>${link(`${at}/erase`, 'Erase this payer')}</p>` : ''}</div>`,
  )
}

const cancelForm = (at: string): SafeHtml =>
  postForm({
    action: `${at}/cancel`,
    button: 'Cancel the payment',
    tone: 'danger',
    fields: [
      field({ name: 'reason', label: 'Why', hint: 'Kept in its history. Nobody has been prompted for it.' }),
    ],
  })
