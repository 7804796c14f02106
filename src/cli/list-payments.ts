import { type Command, Option } from 'commander'
import { ownerOf, type PaymentRow } from '../core/payments/find.ts'
import { listByLooks } from '../core/payments/list-by-looks.ts'
import type { PaymentFilter } from '../core/payments/payment-filter.ts'
import { ARROWS, isPaymentState } from '../core/payments/states.ts'
import { hashIdempotencyKey } from '../core/request/payment-request.ts'
import { PaymentSchema } from '../gen/mpesa/gateway/v1/payments_pb.js'
import { type Row, toRow } from '../runtime/message-row.ts'
import { parseSoughtKey } from '../values/idempotency-key.ts'
import { parseMsisdn } from '../values/msisdn.ts'
import { parseReceipt } from '../values/receipt.ts'
import { parseReference } from '../values/reference.ts'
import { isTestId, partnerIdOf } from '../values/test-partner.ts'
import { usePaymentOperations } from './call-service.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type JsonOption, optional, readId, readLimit, readTime, required } from './options.ts'
import { CommandError, maskRow, printRows } from './output.ts'

type FilterOptions = {
  partner?: string
  test?: true
  state?: string
  reference?: string
  receipt?: string
  phone?: string
  key?: string
  since?: string
  until?: string
  undelivered?: true
}

type ListOptions = JsonOption &
  FilterOptions & { open?: true; overdue?: true; limit: string; before?: string }

/** What lists by duty, oldest first, do not take. */
const FILTERS = [
  'partner',
  'state',
  'reference',
  'receipt',
  'phone',
  'key',
  'since',
  'until',
  'undelivered',
  'before',
]

const MAX_LISTED = 1000

/** `payments list`: finds payments by what an operator knows of them. */
export const addListPayments = (environment: Environment, payments: Command): Command =>
  payments
    .command('list')
    .description('list payments, newest first; numbers of payers are masked')
    .option('--partner <id>', 'only payments of this partner')
    .option('--test', 'test payments, instead of real ones')
    .addOption(new Option('--state <state>', 'only payments in this state').choices(Object.keys(ARROWS)))
    .option('--reference <text>', 'only payments with exactly this reference of their partner')
    .option('--receipt <receipt>', 'only the payment that this receipt of M-PESA proves')
    .option('--phone <number>', 'only payments of this payer, like 254712345678')
    .option('--key <key>', 'only payments that were requested with this idempotency key')
    .option('--since <time>', 'only those created since: 2026-05-04, 2026-05-04T18:00:00Z, or 2h ago as 2h')
    .option('--until <time>', 'only those created before')
    .option('--undelivered', 'only those with an outcome that their partner has not got')
    .addOption(new Option('--open', 'only open payments, oldest first').conflicts([...FILTERS, 'overdue']))
    .addOption(
      new Option(
        '--overdue',
        'only those open for longer than OPEN_PAYMENT_ALERT_AFTER_MS, oldest first',
      ).conflicts(FILTERS),
    )
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only payments with a smaller id: the next page')
    .addHelpText(
      'after',
      '\nExamples:\n  gateway payments list --overdue --json\n  gateway payments list --partner 7 --reference INV-2025-001 --since 7d',
    )
    .action((options: ListOptions) => list(environment, options))

const list = async (environment: Environment, options: ListOptions): Promise<void> => {
  const limit = readLimit(options.limit, MAX_LISTED)
  const listed = await (options.open || options.overdue
    ? findOpen(environment, options, limit)
    : findSome(environment, options, limit))
  printRows(options, listed.map(maskRow), { none: 'There are no such payments.' })
}

const toListed = (row: PaymentRow): Row => ({
  payment_id: row.id,
  ...whoseOf(row),
  state: row.state,
  msisdn: row.msisdn,
  amount_kes: row.amount_kes,
  reference: row.reference,
  result_code: row.result_code,
  receipt: row.receipt,
  created_at: row.created_at,
})

/** Whose a payment is; what is real, as nearly everything is, is not said to be so. */
export const whoseOf = ({ partner_id }: PaymentRow): Row => ({
  partner_id: partnerIdOf(partner_id),
  ...(isTestId(partner_id) && { test: true }),
})

const findOpen = async (environment: Environment, options: ListOptions, pageSize: number): Promise<Row[]> => {
  const request = { pageSize, overdueOnly: options.overdue === true, test: options.test === true }
  const { payments } = await usePaymentOperations(environment, undefined, (service) =>
    service.listOpenPayments(request),
  )
  const columns = request.test ? TEST_LISTED : LISTED
  return payments.map((payment) => {
    const row = toRow(PaymentSchema, payment)
    return Object.fromEntries(columns.map((name) => [name, row[name]]))
  })
}

/** What is listed of a payment. */
const LISTED = [
  'payment_id',
  'partner_id',
  'state',
  'msisdn',
  'amount_kes',
  'reference',
  'result_code',
  'receipt',
  'created_at',
]

const TEST_LISTED = LISTED.toSpliced(2, 0, 'test')

const findSome = async (environment: Environment, options: ListOptions, limit: number): Promise<Row[]> => {
  const partnerId = optional(options.partner, readId('partner')) ?? null
  const before = optional(options.before, readId('value of --before')) ?? null
  const page = {
    owner: ownerOf(partnerId, options.test === true),
    filter: readFilter(options),
    limit,
    before,
  }
  return (await useDatabase(environment, (database) => listByLooks(database, page))).map(toListed)
}

const readFilter = (options: FilterOptions): PaymentFilter => {
  const { state } = options
  const key = optional(options.key, (text) => required('--key', parseSoughtKey(text)))
  const filter = {
    state: state !== undefined && isPaymentState(state) ? state : null,
    reference: optional(options.reference, (text) => required('--reference', parseReference(text))) ?? null,
    receipt: optional(options.receipt, (text) => required('--receipt', parseReceipt(text))) ?? null,
    msisdn: optional(options.phone, (text) => required('--phone', parseMsisdn(text))) ?? null,
    keyHash: key === undefined ? null : hashIdempotencyKey(key),
    createdFrom: optional(options.since, (text) => readTime('--since', text)) ?? null,
    createdTo: optional(options.until, (text) => readTime('--until', text)) ?? null,
    undeliveredOnly: options.undelivered === true,
  }
  const { createdFrom, createdTo } = filter
  if (createdFrom !== null && createdTo !== null && createdTo <= createdFrom)
    throw new CommandError('--until must be later than --since')
  return filter
}
