import { html, type SafeHtml } from '@remix-run/html-template'
import { type PaymentState } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { toPaymentStateName } from '../../values/payment-state.ts'
import { badge, link, type Tone } from './elements.ts'

const TONES: Readonly<Record<string, Tone>> = { successful: 'good', failed: 'bad', unconfirmed: 'warn' }

/** Where a payment stands. */
export const stateBadge = (state: PaymentState): SafeHtml => {
  const name = toPaymentStateName(state) ?? 'unknown'
  return badge(name, TONES[name] ?? 'plain')
}

/** The payer of a payment, whose number the methods have masked. */
export const payerOf = ({ msisdn }: { msisdn: string }): SafeHtml =>
  html`<span class="msisdn">${msisdn}</span>`

/** A link to a payment, under its id. */
export const paymentLink = (paymentId: bigint): SafeHtml => link(`/payments/${paymentId}`, String(paymentId))

/** A link to a partner, under its id. */
export const partnerLink = (partnerId: bigint): SafeHtml => link(`/partners/${partnerId}`, String(partnerId))
