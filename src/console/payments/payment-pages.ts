import type { FastifyInstance } from 'fastify'
import { ChangeOutcome } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { ConsoleParts } from '../console-parts.ts'
import { filled, readId } from '../page/read-id.ts'
import { Refusal } from '../refusal.ts'
import { type ActionCall, addAction, addPage, type Done } from '../route.ts'
import { erase, erasePage } from './erase-page.ts'
import { findPasted } from './find-pasted.ts'
import { nothingFoundPage, paymentCsv, paymentListPage } from './payment-list.ts'
import { paymentPage, readPayment } from './payment-page.ts'
import { settle, settlePage } from './settle-pages.ts'

/** Payments: found by whatever is known of them, each with its timeline and what may be done to it. */
export const addPaymentPages = (app: FastifyInstance, parts: ConsoleParts): void => {
  addPage(app, parts, {
    path: '/payments',
    needs: 'look',
    answer: (call) => paymentListPage(call),
    csv: paymentCsv,
  })
  addAction(app, parts, { path: '/payments/find', needs: 'look', act: find, back: () => '/payments' })
  addPage(app, parts, { path: '/payments/:id', needs: 'look', answer: (call) => paymentPage(call) })
  addAction(app, parts, { path: '/payments/:id/reveal', needs: 'mend', act: reveal, back: toPayment })
  addAction(app, parts, { path: '/payments/:id/cancel', needs: 'mend', act: cancel, back: toPayment })
  addAction(app, parts, { path: '/payments/:id/resend', needs: 'mend', act: resend, back: toPayment })
  addPage(app, parts, { path: '/payments/:id/settle', needs: 'money', answer: (call) => settlePage(call) })
  addAction(app, parts, {
    path: '/payments/:id/settle',
    needs: 'money',
    act: settle,
    onRefused: (call, refusal) => settlePage(call, call.form, refusal),
  })
  addPage(app, parts, { path: '/payments/:id/erase', needs: 'money', answer: (call) => erasePage(call) })
  addAction(app, parts, {
    path: '/payments/:id/erase',
    needs: 'money',
    act: erase,
    onRefused: (call, refusal) => erasePage(call, refusal),
  })
}

const toPayment = ({ params }: ActionCall): string => `/payments/${params['id'] ?? ''}`

const find = async (call: ActionCall): Promise<Done> => {
  const goTo = await findPasted(call.clients.payments, call.form.get('text') ?? '')
  return goTo === null ? nothingFoundPage(call) : { goTo }
}

/** A page of its own: the address stays that of the action, and the number is in no address. */
const reveal = async (call: ActionCall): Promise<Done> => {
  const paymentId = readId(call.params['id'], 'payment')
  return paymentPage(call, await call.clients.payments.revealMsisdn({ paymentId }))
}

const cancel = async (call: ActionCall): Promise<Done> => {
  const paymentId = readId(call.params['id'], 'payment')
  await call.clients.payments.cancelPaymentByHand({ paymentId, reason: filled(call.form, 'reason') })
  return {
    goTo: `/payments/${paymentId}`,
    said: `Payment ${paymentId} is cancelled. Its partner is notified.`,
  }
}

const RESENT: Partial<Record<ChangeOutcome, string>> = {
  [ChangeOutcome.RETRIED]: 'The outcome is sent again now.',
  [ChangeOutcome.HELD]: 'The outcome is sent when its endpoint is back: it is held.',
  [ChangeOutcome.UNDER_WAY]: 'An attempt is being made already.',
  [ChangeOutcome.WAITING]: 'It was about to be sent already.',
}

const resend = async (call: ActionCall): Promise<Done> => {
  const { payment, timeline } = await readPayment(call)
  const deliveryId = timeline.entries.findLast(({ kind }) => kind === 'delivery')?.deliveryId
  if (deliveryId === undefined) throw new Refusal('not_possible', 'The payment has no outcome yet.')
  const { changes } = await call.clients.deliveries.retryDeliveries({
    deliveryIds: [deliveryId],
    sendDeliveredAgain: true,
  })
  const outcome = changes[0]?.outcome ?? ChangeOutcome.UNSPECIFIED
  return { goTo: `/payments/${payment.paymentId}`, said: RESENT[outcome] ?? 'It was left as it is.' }
}
