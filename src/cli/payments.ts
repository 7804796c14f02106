import { Command, Option } from 'commander'
import {
  findFindings,
  findHistory,
  findPayment,
  listOpenPayments,
  listPayments,
  type PaymentRow,
} from '../core/payments/find.ts'
import { ARROWS, isPaymentState } from '../core/payments/states.ts'
import { settleByHand } from '../core/settle/settle-by-hand.ts'
import type { Outcome } from '../database/schema/payments.ts'
import { readConfig } from '../runtime/config.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import {
  type ByOptions,
  byOption,
  type JsonOption,
  optional,
  readId,
  readLimit,
  readReason,
  toOperator,
} from './options.ts'
import {
  CommandError,
  maskRow,
  print,
  printFields,
  printJson,
  printLine,
  printRows,
  printTable,
  type Row,
} from './output.ts'

type ListOptions = JsonOption & {
  partner?: string
  state?: string
  open?: true
  overdue?: true
  limit: string
  before?: string
}

type ShowOptions = JsonOption & { whole?: true }

type SettleOptions = ByOptions & { outcome: Outcome; receipt?: string; reason: string }

const MAX_LISTED = 1000

/** `payments …`: what became of payments. */
export const paymentsCommand = (environment: Environment): Command => {
  const payments = new Command('payments').description('show, list and settle payments')
  payments
    .command('show')
    .argument('<id>', '', readId('payment'))
    .description(
      'show one payment with its history, its deliveries, and what did not fit; numbers are masked',
    )
    .option('--whole', 'show the payer’s number and Daraja’s id whole')
    .action((id: bigint, options: ShowOptions) => show(environment, id, options))
  addList(environment, payments)
  addSettle(environment, payments)
  return payments
}

const addList = (environment: Environment, payments: Command): Command =>
  payments
    .command('list')
    .description('list payments, newest first; numbers of payers are masked')
    .option('--partner <id>', 'only payments of this partner')
    .addOption(new Option('--state <state>', 'only payments in this state').choices(Object.keys(ARROWS)))
    .addOption(
      new Option('--open', 'only open payments, oldest first').conflicts([
        'partner',
        'state',
        'before',
        'overdue',
      ]),
    )
    .addOption(
      new Option(
        '--overdue',
        'only those open for longer than OPEN_PAYMENT_ALERT_AFTER_MS, oldest first',
      ).conflicts(['partner', 'state', 'before']),
    )
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only payments with a smaller id: the next page')
    .addHelpText('after', '\nExample:\n  gateway payments list --overdue --json')
    .action((options: ListOptions) => list(environment, options))

/** `payments settle`: an operator's settlement of a payment that nothing else settles. */
const addSettle = (environment: Environment, payments: Command): Command =>
  payments
    .command('settle')
    .argument('<id>', 'the payment', readId('payment'))
    .description('settle an open payment by hand, as M-PESA’s statement shows it; its partner is notified')
    .addOption(
      new Option('--outcome <outcome>', 'how it ended')
        .choices(['successful', 'failed'])
        .makeOptionMandatory(),
    )
    .option('--receipt <receipt>', 'M-PESA’s receipt, ten letters and digits; needed for a success')
    .requiredOption('--reason <reason>', 'why, for whoever asks later; kept in the payment’s history')
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExample:\n  gateway payments settle 17 --outcome successful --receipt UE4A11B2C3 --reason "on the statement of 4 May"',
    )
    .action((id: bigint, options: SettleOptions) => settlePayment(environment, id, options))

const show = async (environment: Environment, paymentId: bigint, options: ShowOptions): Promise<void> => {
  const found = await useDatabase(environment, async (database) => ({
    payment: await findPayment(database, 'anybody', paymentId),
    history: await findHistory(database, paymentId),
    findings: await findFindings(database, paymentId),
    deliveries: await database
      .selectFrom('deliveries')
      .select([
        'id as delivery_id',
        'webhook_id',
        'state',
        'attempts',
        'next_attempt_at',
        'ended_at',
        'dead_reason',
      ])
      .where('payment_id', '=', paymentId)
      .orderBy('id')
      .execute(),
  }))
  if (!found.payment) throw new CommandError(`there is no payment ${paymentId}`)
  const shown = options.whole ? (row: Row): Row => row : maskRow
  const { id, ...fields } = found.payment
  const row = { payment_id: id, ...fields }
  const payment = shown(row)
  const [history, findings] = [found.history.map(shown), found.findings.map(shown)]
  const { deliveries } = found
  const whole = { ...payment, history, deliveries, findings }
  if (options.json) return printJson(whole)
  printFields(options, payment)
  printLine('')
  // A column that is empty for nearly every payment is shown where it is not.
  const operator = history.some((move) => move['operator'] !== null) ? ['operator'] : []
  const moves = ['at', 'from_state', 'to_state', 'cause', 'detail', ...operator]
  printTable(history, 'It has not moved yet.', moves)
  printLine('')
  printTable(deliveries, 'Nothing has been sent to its partner yet.')
  if (findings.length === 0) return
  printLine('')
  printTable(findings, '')
}

const list = async (environment: Environment, options: ListOptions): Promise<void> => {
  const limit = readLimit(options.limit, MAX_LISTED)
  const rows = await (options.open || options.overdue
    ? findOpen(environment, options.overdue === true, limit)
    : findSome(environment, options, limit))
  const listed = rows.map((row) => ({
    payment_id: row.id,
    partner_id: row.partner_id,
    state: row.state,
    msisdn: row.msisdn,
    amount_kes: row.amount_kes,
    reference: row.reference,
    result_code: row.result_code,
    receipt: row.receipt,
    created_at: row.created_at,
  }))
  printRows(options, listed.map(maskRow), { none: 'There are no such payments.' })
}

const findOpen = (environment: Environment, isOverdue: boolean, limit: number): Promise<PaymentRow[]> => {
  const { OPEN_PAYMENT_ALERT_AFTER_MS } = readConfig(environment, ['OPEN_PAYMENT_ALERT_AFTER_MS'])
  const ageMs = isOverdue ? OPEN_PAYMENT_ALERT_AFTER_MS : 0
  return useDatabase(environment, (database) => listOpenPayments({ database, ageMs, limit }))
}

const findSome = (environment: Environment, options: ListOptions, limit: number): Promise<PaymentRow[]> => {
  const { state } = options
  const partnerId = optional(options.partner, readId('partner')) ?? null
  const before = optional(options.before, readId('value of --before')) ?? null
  return useDatabase(environment, (database) =>
    listPayments({
      database,
      owner: partnerId === null ? 'anybody' : { partnerId },
      limit,
      before,
      state: state !== undefined && isPaymentState(state) ? state : null,
    }),
  )
}

const settlePayment = async (
  environment: Environment,
  paymentId: bigint,
  options: SettleOptions,
): Promise<void> => {
  const { outcome } = options
  const { name: operator, from } = toOperator(options.by)
  const request = {
    paymentId,
    outcome,
    receipt: readReceipt(options),
    operator,
    from,
    reason: readReason(options.reason),
  }
  const settled = await useDatabase(environment, (database) => settleByHand(database, request))
  if (settled.kind === 'receipt_taken') {
    throw new CommandError(
      `${request.receipt} is the receipt of payment ${settled.paymentId} already, and one receipt proves one payment; nothing was changed`,
    )
  }
  if (settled.kind === 'unchanged') {
    throw new CommandError(
      settled.state === null
        ? `there is no payment ${paymentId}`
        : `payment ${paymentId} is ${settled.state} and cannot become ${outcome}; nothing was changed`,
    )
  }
  const value = { payment_id: paymentId, state: outcome }
  print(options, value, `Payment ${paymentId} is ${outcome}. Its partner is notified.`)
}

const readReceipt = ({ outcome, receipt }: SettleOptions): string | null => {
  if (outcome === 'failed') {
    if (receipt !== undefined) throw new CommandError('--receipt is for a success: a failure has none')
    return null
  }
  if (receipt === undefined || !/^[A-Z0-9]{10}$/.test(receipt)) {
    throw new CommandError('--receipt must be the ten letters and digits of the statement, like UE4A11B2C3')
  }
  return receipt
}
