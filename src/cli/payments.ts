import { Command, Option } from 'commander'
import { findHistory, findPayment, listPayments, type PaymentRow } from '../core/payments/find.ts'
import { ARROWS, isPaymentState } from '../core/payments/payment.ts'
import { parseId } from '../values/ids.ts'
import { maskMsisdn } from '../values/msisdn.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { CommandError, printJson, printLine, printTable, toText } from './output.ts'

type ListOptions = { partner?: string; state?: string; limit: string; before?: string; json?: true }

const MAX_LISTED = 1000

/** `payments …`: what became of payments. */
export const paymentsCommand = (environment: Environment): Command => {
  const payments = new Command('payments').description('show and list payments')
  payments
    .command('show <id>')
    .description('show one payment with its history and its deliveries')
    .option('--json', 'print one line of JSON')
    .action((id: string, options: { json?: true }) => show(environment, id, options))
  payments
    .command('list')
    .description('list payments, newest first; numbers of payers are masked')
    .option('--partner <id>', 'only payments of this partner')
    .addOption(new Option('--state <state>', 'only payments in this state').choices(Object.keys(ARROWS)))
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only payments with a smaller id: the next page')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway payments list --state unconfirmed --json')
    .action((options: ListOptions) => list(environment, options))
  return payments
}

const show = async (environment: Environment, text: string, options: { json?: true }): Promise<void> => {
  const id = requireId('the payment id', text)
  const found = await useDatabase(environment, async (database) => ({
    payment: await findPayment(database, 'anybody', id),
    history: await findHistory(database, id),
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
  const payment = toOutput(found.payment)
  if (options.json) return printJson({ ...payment, history: found.history, deliveries: found.deliveries })
  for (const [name, value] of Object.entries(payment)) printLine(`${name.padEnd(20)} ${toText(value)}`)
  printLine('')
  printTable(found.history, 'It has not moved yet.')
  printLine('')
  printTable(found.deliveries, 'Its partner has not been told anything yet.')
}

const list = async (environment: Environment, options: ListOptions): Promise<void> => {
  const limit = Number(options.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LISTED) {
    throw new CommandError(`--limit must be a whole number from 1 to ${MAX_LISTED}, not ${options.limit}`)
  }
  const { state } = options
  const partnerId = options.partner === undefined ? null : requireId('--partner', options.partner)
  const before = options.before === undefined ? null : requireId('--before', options.before)
  const rows = await useDatabase(environment, (database) =>
    listPayments({
      database,
      owner: partnerId === null ? 'anybody' : { partnerId },
      limit,
      before,
      state: state !== undefined && isPaymentState(state) ? state : null,
    }),
  )
  const listed = rows.map((row) => ({
    payment_id: row.id,
    partner_id: row.partner_id,
    state: row.state,
    msisdn: maskMsisdn(row.msisdn),
    amount_kes: row.amount_kes,
    reference: row.reference,
    result_code: row.result_code,
    receipt: row.receipt,
    created_at: row.created_at,
  }))
  if (options.json) return printJson(listed)
  printTable(listed, 'There are no such payments.')
}

const requireId = (what: string, text: string): bigint => {
  const id = parseId(text)
  if (id === null) throw new CommandError(`${what} must be a positive whole number, not ${text}`)
  return id
}

const toOutput = ({ id, ...row }: PaymentRow) => ({ payment_id: id, ...row })
