import { Command, Option } from 'commander'
import { type ListedDelivery, listPaymentDeliveries } from '../core/deliveries/find.ts'
import { failureOf } from '../core/payments/failures.ts'
import { findPayment } from '../core/payments/find.ts'
import { CANCELLED } from '../core/payments/states.ts'
import { FindingSchema, PaymentMoveSchema } from '../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { type Row, toRow, withHeldUntil } from '../runtime/message-row.ts'
import { toFailureReasonName } from '../values/failure-reason.ts'
import { usePaymentOperations } from './call-service.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { addExceptions } from './list-exceptions.ts'
import { addFindings } from './list-findings.ts'
import { addListPayments, whoseOf } from './list-payments.ts'
import { type ByOptions, byOption, optional, readId, readReason } from './options.ts'
import { CommandError, maskRow, print, printFields, printJson, printLine, printTable } from './output.ts'
import { addSettle } from './settle-payment.ts'
import { showTimeline } from './show-timeline.ts'

type ShowOptions = ByOptions & { whole?: true; timeline?: true }

type CancelOptions = ByOptions & { reason?: string }

/** `payments …`: what became of payments. */
export const paymentsCommand = (environment: Environment): Command => {
  const payments = new Command('payments').description('show, list, cancel and settle payments')
  payments
    .command('show')
    .argument('<id>', '', readId('payment'))
    .description(
      'show one payment with its history, its deliveries, and what did not fit; numbers are masked',
    )
    .option('--whole', 'show the payer’s number and Daraja’s id whole; the audit log keeps who looked')
    .addOption(new Option('--timeline', 'all that came of it, by all parties, in the order of time'))
    .addOption(byOption())
    .action((id: bigint, options: ShowOptions) => show(environment, id, options))
  addListPayments(environment, payments)
  addCancelPayment(environment, payments)
  addFindings(environment, payments)
  addExceptions(environment, payments)
  addSettle(environment, payments)
  return payments
}

/** `payments cancel`: a payment that nobody has been prompted for, as its partner may over the API. */
const addCancelPayment = (environment: Environment, payments: Command): Command =>
  payments
    .command('cancel')
    .argument('<id>', 'the payment', readId('payment'))
    .description('cancel a payment that nobody has been prompted for; its partner is notified')
    .option('--reason <reason>', 'why, for whoever asks later; kept in the payment’s history')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway payments cancel 17 --reason "ordered twice"')
    .action((id: bigint, options: CancelOptions) => cancel(environment, id, options))

const show = async (environment: Environment, paymentId: bigint, options: ShowOptions): Promise<void> => {
  if (options.timeline) return showTimeline(environment, paymentId, options)
  if (options.whole) await noteLook(environment, paymentId, options.by)
  const found = await useDatabase(environment, async (database) => ({
    payment: await findPayment(database, 'anybody', paymentId),
    deliveries: await listPaymentDeliveries(database, paymentId),
  }))
  if (!found.payment) throw new CommandError(`there is no payment ${paymentId}`)
  const { moves: history, findings: kept } = await usePaymentOperations(environment, undefined, (service) =>
    service.getPaymentHistory({ paymentId }),
  )
  const shown = options.whole ? (row: Row): Row => row : maskRow
  const { id, metadata, ...fields } = found.payment
  const failure = fields.state === 'failed' ? failureOf(fields.result_code ?? '') : null
  const row = {
    payment_id: id,
    ...fields,
    ...whoseOf(found.payment),
    failure: failure && toFailureReasonName(failure.reason),
    worth_retrying: failure && failure.worthRetrying,
    metadata: metadata && shown(metadata),
  }
  const payment = shown(row)
  const moved = history.map((move) => shown(toRow(PaymentMoveSchema, move)))
  const findings = kept.map((finding) => {
    const { payment_id: _, ...rest } = shown(toRow(FindingSchema, finding))
    return rest
  })
  const deliveries = found.deliveries.map((delivery) => shown(toDeliveryRow(delivery)))
  const whole = { ...payment, history: moved, deliveries, findings }
  if (options.json) return printJson(whole)
  printFields(options, payment)
  printLine('')
  // A column that is empty for nearly every payment is shown where it is not.
  const operator = moved.some((move) => move['operator'] !== null) ? ['operator'] : []
  const moves = ['at', 'from_state', 'to_state', 'cause', 'detail', ...operator]
  printTable(moved, 'It has not moved yet.', moves)
  printLine('')
  printTable(deliveries.map(withHeldUntil), 'Nothing has been sent to its partner yet.', DELIVERY_COLUMNS)
  if (findings.length === 0) return
  printLine('')
  printTable(findings, '')
}

/** Who looks at a whole number is written down before it is shown. */
const noteLook = (environment: Environment, paymentId: bigint, by: string | undefined): Promise<unknown> =>
  usePaymentOperations(environment, by, (service) => service.revealMsisdn({ paymentId }))

const toDeliveryRow = (delivery: ListedDelivery) => ({
  delivery_id: delivery.delivery_id,
  webhook_id: delivery.webhook_id,
  state: delivery.state,
  attempts: delivery.attempts,
  next_attempt_at: delivery.next_attempt_at,
  held_because: delivery.held_because,
  held_until: delivery.held_until,
  ended_at: delivery.ended_at,
  dead_reason: delivery.reason,
})

/** What a person sees of them: why it is held stands in the place of its next attempt. */
const DELIVERY_COLUMNS = [
  'delivery_id',
  'webhook_id',
  'state',
  'attempts',
  'next_attempt_at',
  'ended_at',
  'dead_reason',
]

const cancel = async (environment: Environment, paymentId: bigint, options: CancelOptions): Promise<void> => {
  const reason = optional(options.reason, readReason)
  const { isNew } = await usePaymentOperations(environment, options.by, (service) =>
    service.cancelPaymentByHand({ paymentId, reason }),
  )
  const value = { payment_id: paymentId, state: 'failed', result_code: CANCELLED.resultCode, is_new: isNew }
  const line = isNew ? 'is cancelled. Its partner is notified.' : 'was cancelled before.'
  print(options, value, `Payment ${paymentId} ${line}`)
}
