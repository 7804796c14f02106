import { Command, Option } from 'commander'
import {
  findFindings,
  findHistory,
  findPayment,
  listOpenPayments,
  listPayments,
  type PaymentRow,
} from '../core/payments/find.ts'
import { ARROWS, isPaymentState } from '../core/payments/payment.ts'
import { readConfig } from '../runtime/config.ts'
import { parseId } from '../values/ids.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { maskRow } from './mask-row.ts'
import { CommandError, printJson, printLine, printTable, toText } from './output.ts'
import { readLimit } from './read-limit.ts'
import { settlePaymentCommand } from './settle-payment.ts'

type ListOptions = {
  partner?: string
  state?: string
  open?: true
  overdue?: true
  limit: string
  before?: string
  json?: true
}

type ShowOptions = { whole?: true; json?: true }

const MAX_LISTED = 1000

/** `payments …`: what became of payments. */
export const paymentsCommand = (environment: Environment): Command => {
  const payments = new Command('payments').description('show, list and settle payments')
  payments
    .command('show <id>')
    .description(
      'show one payment with its history, its deliveries, and what did not fit; numbers are masked',
    )
    .option('--whole', 'show the payer’s number and Daraja’s id whole')
    .option('--json', 'print one line of JSON')
    .action((id: string, options: ShowOptions) => show(environment, id, options))
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
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway payments list --overdue --json')
    .action((options: ListOptions) => list(environment, options))
  payments.addCommand(settlePaymentCommand(environment))
  return payments
}

const show = async (environment: Environment, text: string, options: ShowOptions): Promise<void> => {
  const id = requireId('the payment id', text)
  const found = await useDatabase(environment, async (database) => ({
    payment: await findPayment(database, 'anybody', id),
    history: await findHistory(database, id),
    findings: await findFindings(database, id),
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
      .where('payment_id', '=', id)
      .orderBy('id')
      .execute(),
  }))
  if (!found.payment) throw new CommandError(`there is no payment ${id}`)
  const shown = options.whole ? <Row>(row: Row): Row => row : maskRow
  const payment = shown(toOutput(found.payment))
  const [history, findings] = [found.history.map(shown), found.findings.map(shown)]
  const { deliveries } = found
  if (options.json) return printJson({ ...payment, history, deliveries, findings })
  for (const [name, value] of Object.entries(payment)) printLine(`${name.padEnd(20)} ${toText(value)}`)
  printLine('')
  const isByHand = history.some(({ operator }) => operator !== null)
  printTable(isByHand ? history : history.map(withoutOperator), 'It has not moved yet.')
  printLine('')
  printTable(deliveries, 'Its partner has not been told anything yet.')
  if (findings.length === 0) return
  printLine('')
  printTable(findings, '')
}

/** A column that is empty for nearly every payment is shown where it is not. */
const withoutOperator = ({ operator: _none, ...move }: Awaited<ReturnType<typeof findHistory>>[number]) =>
  move

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
  const shown = listed.map(maskRow)
  if (options.json) return printJson(shown)
  printTable(shown, 'There are no such payments.')
}

const findOpen = (environment: Environment, isOverdue: boolean, limit: number): Promise<PaymentRow[]> => {
  const { OPEN_PAYMENT_ALERT_AFTER_MS } = readConfig(environment, ['OPEN_PAYMENT_ALERT_AFTER_MS'])
  const ageMs = isOverdue ? OPEN_PAYMENT_ALERT_AFTER_MS : 0
  return useDatabase(environment, (database) => listOpenPayments({ database, ageMs, limit }))
}

const findSome = (environment: Environment, options: ListOptions, limit: number): Promise<PaymentRow[]> => {
  const { state } = options
  const partnerId = options.partner === undefined ? null : requireId('--partner', options.partner)
  const before = options.before === undefined ? null : requireId('--before', options.before)
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

const requireId = (what: string, text: string): bigint => {
  const id = parseId(text)
  if (id === null) throw new CommandError(`${what} must be a positive whole number, not ${text}`)
  return id
}

const toOutput = ({ id, ...row }: PaymentRow) => ({ payment_id: id, ...row })
