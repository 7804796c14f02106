import { type Selectable, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName, PaymentsTable } from '../../database/schema/payments.ts'

/** What is read of a payment, by name: a column that a later release adds must not change the result of a prepared statement. */
const PAYMENT_COLUMNS = [
  'id',
  'partner_id',
  'amount_kes',
  'state',
  'created_at',
  'submit_by',
  'transaction_date',
  'msisdn',
  'callback_url',
  'reference',
  'merchant_request_id',
  'checkout_request_id',
  'result_code',
  'result_desc',
  'receipt',
  'account_id',
] as const satisfies readonly (keyof PaymentsTable)[]

export type PaymentRow = Pick<Selectable<PaymentsTable>, (typeof PAYMENT_COLUMNS)[number]>

/** The columns of a `PaymentRow`, for a statement that says `payments`. */
export const paymentColumns = sql.join(PAYMENT_COLUMNS.map((column) => sql.ref(`payments.${column}`)))

/** Whose payments are seen: one partner's, or (for operators and services) everybody's. */
export type Owner = { partnerId: bigint } | 'anybody'

/** One payment; undefined when there is none, or when it is another's. */
export const findPayment = (
  database: Database,
  owner: Owner,
  paymentId: bigint,
): Promise<PaymentRow | undefined> => {
  const query = database.selectFrom('payments').select(PAYMENT_COLUMNS).where('id', '=', paymentId)
  const owned = owner === 'anybody' ? query : query.where('partner_id', '=', owner.partnerId)
  return owned.executeTakeFirst()
}

/**
 * At most `limit` payments with an id below `before` (null: the newest), newest first. A keyset page: it costs the same
 * however far back it lies, and nothing is skipped or shown twice while new payments come in.
 */
export const listPayments = (options: {
  database: Database
  owner: Owner
  limit: number
  before: bigint | null
  state: PaymentStateName | null
}): Promise<PaymentRow[]> => {
  let query = options.database
    .selectFrom('payments')
    .select(PAYMENT_COLUMNS)
    .orderBy('id', 'desc')
    .limit(options.limit)
  if (options.owner !== 'anybody') query = query.where('partner_id', '=', options.owner.partnerId)
  if (options.before !== null) query = query.where('id', '<', options.before)
  if (options.state !== null) query = query.where('state', '=', options.state)
  return query.execute()
}

/** Every move of a payment, oldest first. */
export const findHistory = (database: Database, paymentId: bigint) =>
  database
    .selectFrom('payment_history')
    .select(['at', 'from_state', 'to_state', 'cause', 'detail', 'operator'])
    .where('payment_id', '=', paymentId)
    .orderBy('at')
    .execute()

/** What did not fit about a payment, oldest first. */
export const findFindings = (database: Database, paymentId: bigint) =>
  database
    .selectFrom('payment_findings')
    .select(['at', 'kind', 'detail'])
    .where('payment_id', '=', paymentId)
    .orderBy('at')
    .execute()
