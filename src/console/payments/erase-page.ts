import { html } from '@remix-run/html-template'
import { link, notice } from '../page/elements.ts'
import { field, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { Refusal } from '../refusal.ts'
import type { ActionCall, Call, Done } from '../route.ts'
import { readPayment } from './payment-page.ts'

/** Asks, before a payer's number is taken out of all that is kept. */
export const erasePage = async (call: Call, refusal: Refusal | null = null): Promise<Page> => {
  const { payment } = await readPayment(call)
  const { paymentId } = payment
  const wrong = refusal?.field === 'confirm'
  return {
    title: `Erase the payer of payment ${paymentId}`,
    body: html`${refusal === null || wrong ? '' : notice('bad', refusal.message)}
${notice('warn', 'There is no way back. The number is taken out of every payment of this payer, callback, delivery and log of attempts that is kept; amounts, receipts and states stay.')}
<p>${payment.msisdn}. ${link(`/payments?payer_of=${paymentId}`, 'The payments of this payer')}</p>
${postForm({
  action: `/payments/${paymentId}/erase`,
  button: 'Erase the payer',
  tone: 'danger',
  fields: [
    field({
      name: 'confirm',
      label: `Type ${paymentId} to confirm`,
      required: true,
      autocomplete: 'off',
      problem: wrong ? refusal.message : null,
    }),
  ],
})}<p>${link(`/payments/${paymentId}`, 'Back to the payment')}</p>`,
  }
}

export const erase = async (call: ActionCall): Promise<Done> => {
  const { payment } = await readPayment(call)
  const { paymentId } = payment
  if (call.form.get('confirm')?.trim() !== String(paymentId))
    throw new Refusal('wrong_field', `Type ${paymentId}, or go back.`, { field: 'confirm' })
  const erased = await call.clients.payers.erasePayer({ paymentId })
  const { payments, deliveries, callbacks } = erased
  const said = `The payer is erased from ${payments} payments, ${deliveries} deliveries and ${callbacks} callbacks.`
  return { goTo: `/payments/${paymentId}`, said }
}
