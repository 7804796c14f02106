import { html, type SafeHtml } from '@remix-run/html-template'
import type { SettleDoubt } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { type Payment, PaymentState } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { parsePaymentState, toPaymentStateName } from '../../values/payment-state.ts'
import { facts, link, notice } from '../page/elements.ts'
import { field, hidden, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { filled } from '../page/read-id.ts'
import type { Refusal } from '../refusal.ts'
import type { ActionCall, Call, Done } from '../route.ts'
import { readPayment } from './payment-page.ts'

/** The form by which a payment is settled by hand; nothing is done before what it would do was shown. */
export const settlePage = async (
  call: Call,
  given: URLSearchParams = new URLSearchParams(),
  refusal: Refusal | null = null,
): Promise<Page> => {
  const { payment } = await readPayment(call)
  const problemOf = (name: string): string | null => (refusal?.field === name ? refusal.message : null)
  const mayBeAnyway = refusal?.kind === 'not_possible' && /anyway/.test(refusal.message)
  return {
    title: `Settle payment ${payment.paymentId}`,
    body: html`${refusal === null ? '' : notice('bad', refusal.message)}
<p>As M-PESA’s statement shows it. ${payment.amountKes} KES by ${payment.msisdn}, ${toPaymentStateName(payment.state)}.
What would be told to whom is shown before anything is changed.</p>
${postForm({
  action: `/payments/${payment.paymentId}/settle`,
  button: 'Show what it would do',
  fields: [
    field({
      name: 'outcome',
      label: 'How it ended',
      kind: 'select',
      value: given.get('outcome'),
      options: [
        ['successful', 'paid'],
        ...(isFailedOrPaid(payment) ? [] : [['failed', 'not paid'] as const]),
      ],
    }),
    field({
      name: 'receipt',
      label: 'M-PESA’s receipt',
      value: given.get('receipt'),
      autocomplete: 'off',
      hint: 'Ten letters and digits; for a paid one only.',
      problem: problemOf('receipt'),
    }),
    field({
      name: 'reason',
      label: 'Why',
      value: given.get('reason'),
      required: true,
      hint: 'For whoever asks later; kept in its history with your name.',
      problem: problemOf('reason'),
    }),
    ...(mayBeAnyway ? [anywayField()] : []),
  ],
})}<p>${link(`/payments/${payment.paymentId}`, 'Back to the payment')}</p>`,
  }
}

const anywayField = (): SafeHtml =>
  field({
    name: 'anyway',
    label: 'The gateway may still settle it by itself, or a statement speaks against it',
    kind: 'select',
    options: [
      ['', 'then leave it'],
      ['on', 'settle it anyway'],
    ],
  })

/** One that failed may be found paid, and of one that is paid the receipt be filled in; neither is made failed. */
const isFailedOrPaid = ({ state }: Payment): boolean =>
  state === PaymentState.FAILED || state === PaymentState.SUCCESSFUL

/** Shows what it would do; does it once that was confirmed. */
export const settle = async (call: ActionCall): Promise<Done> => {
  const { form, clients } = call
  const { payment: before } = await readPayment(call)
  const { paymentId } = before
  const outcome = parsePaymentState(form.get('outcome') ?? '') ?? PaymentState.UNSPECIFIED
  const receipt = filled(form, 'receipt')?.toUpperCase()
  const isConfirmed = form.get('confirmed') === 'yes'
  const { payment, receiptFilledIn, doubts } = await clients.payments.settlePayment({
    paymentId,
    outcome,
    receipt,
    reason: form.get('reason') ?? '',
    // Confirmed is what was shown: nothing that came up since.
    settleAnyway: !isConfirmed && form.get('anyway') === 'on',
    settleDespite: isConfirmed ? (filled(form, 'despite')?.split(' ') ?? []) : [],
    validateOnly: !isConfirmed,
  })
  if (payment === undefined) throw new Error('nothing was answered')
  const name = toPaymentStateName(outcome)
  if (isConfirmed)
    return {
      goTo: `/payments/${paymentId}`,
      said: receiptFilledIn
        ? `Payment ${paymentId} has the receipt ${receipt} now. Its partner is not notified: it knows that it is paid.`
        : `Payment ${paymentId} is ${name}. Its partner is notified.`,
    }
  return confirmPage({ before, after: payment, form, receiptFilledIn, doubts })
}

const confirmPage = (looked: {
  before: Payment
  after: Payment
  form: URLSearchParams
  receiptFilledIn: boolean
  doubts: readonly SettleDoubt[]
}): Page => {
  const { before, after, form, receiptFilledIn, doubts } = looked
  const told = receiptFilledIn
    ? `${before.partnerId} is not told: it knows that it is paid`
    : `${before.partnerId} is told`
  const carried = ['outcome', 'receipt', 'reason', 'anyway'].map((name) => hidden(name, form.get(name) ?? ''))
  return {
    title: `Settle payment ${before.paymentId}?`,
    body: html`${notice('warn', 'Nothing is changed yet. This is what would be done; a paid payment stays paid.')}
${facts([
  ['Payment', `${before.paymentId}: ${before.amountKes} KES by ${before.msisdn}`],
  ['From', toPaymentStateName(before.state)],
  ['To', toPaymentStateName(after.state)],
  ['Receipt', after.receipt ?? null],
  ['Partner', told],
  ['At', before.callbackUrl],
  ['Result', `${after.resultCode ?? ''} ${after.resultDesc ?? ''}`],
  ['Why', form.get('reason')],
  ['In spite of', doubts.length === 0 ? null : doubts.map(({ what }) => what).join('; ')],
])}
${postForm({
  action: `/payments/${before.paymentId}/settle`,
  button: 'Settle it',
  tone: 'danger',
  fields: [
    ...carried,
    hidden('despite', doubts.map(({ kind }) => kind).join(' ')),
    hidden('confirmed', 'yes'),
  ],
})}<p>${link(`/payments/${before.paymentId}`, 'Back to the payment, without')}</p>`,
  }
}
