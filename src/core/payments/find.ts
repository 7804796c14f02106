import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName, PaymentsTable } from '../../database/schema/payments.ts'

/**
 * What is read of a payment, by name: a column that a later release adds must not change the result of a prepared
 * statement.
 */
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

/** Above every id. */
const NO_ID_YET = 2n ** 63n - 1n

/**
 * At most `limit` payments with an id below `before` (null: the newest), newest first. A keyset page: it costs the same
 * however far back it is, and nothing is skipped or shown twice while new payments come in. One partner's are in the
 * order of its own index, so that the planner cannot read everybody's in the order of their ids until enough of the
 * partner's have turned up: that would be the whole history for one who has not asked for anything in a long time.
 */
export const listPayments = (options: {
  database: Database
  owner: Owner
  limit: number
  before: bigint | null
  state: PaymentStateName | null
}): Promise<PaymentRow[]> => {
  let query = options.database.selectFrom('payments').select(PAYMENT_COLUMNS).limit(options.limit)
  if (options.owner !== 'anybody') {
    const { partnerId } = options.owner
    query = query
      .where('partner_id', '>=', partnerId)
      .where(sql<boolean>`(partner_id, id) < (${partnerId}, ${options.before ?? NO_ID_YET})`)
      .orderBy('partner_id', 'desc')
  } else if (options.before !== null) query = query.where('id', '<', options.before)
  query = query.orderBy('id', 'desc')
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

/**
 * The ids of open payments: every one of them has a duty, to be submitted, queried or confirmed, so no index on the
 * state is needed. Ids of paid payments whose receipt is looked for are among them.
 */
const idsWithDuties = sql`
  SELECT payment_id AS id FROM to_submit UNION SELECT payment_id FROM to_query UNION SELECT payment_id FROM to_confirm
`

const isOpen = sql`payments.state IN ('accepted', 'submitting', 'submitted', 'unconfirmed')`

const isOlderThan = (ageMs: number) =>
  sql`payments.created_at < now() - make_interval(secs => ${ageMs / 1000})`

/** At most `limit` open payments that are at least `ageMs` old, oldest first. */
export const listOpenPayments = async (options: {
  database: Database
  ageMs: number
  limit: number
}): Promise<PaymentRow[]> => {
  const { rows } = await sql<PaymentRow>`
    SELECT ${paymentColumns} FROM payments JOIN (${idsWithDuties}) duties USING (id)
    WHERE ${isOpen} AND ${isOlderThan(options.ageMs)} ORDER BY payments.id LIMIT ${options.limit}
  `.execute(options.database)
  return rows
}

/** How many open payments are at least `ageMs` old. */
export const countOverduePayments = async (database: Database, ageMs: number): Promise<number> => {
  const { rows } = await sql<{ count: bigint }>`
    SELECT count(*) FROM payments JOIN (${idsWithDuties}) duties USING (id) WHERE ${isOpen} AND ${isOlderThan(ageMs)}
  `.execute(database)
  return Number(rows[0]?.count ?? 0)
}

/**
 * Like `listPayments`, but only payments whose outcome their partner has not got: its delivery is still to be made,
 * held, dead or cancelled. All of these are in small tables of their own, so what it costs grows with what is missed,
 * not with history: OFFSET 0 keeps the planner from reading payments in order until enough of them have turned up.
 */
export const listUndeliveredPayments = async (options: {
  database: Database
  owner: Owner
  limit: number
  before: bigint | null
  state: PaymentStateName | null
}): Promise<PaymentRow[]> => {
  const { owner, before, state } = options
  const owned = owner === 'anybody' ? sql`` : sql`WHERE partner_id = ${owner.partnerId}`
  const { rows } = await sql<PaymentRow>`
    WITH missed AS MATERIALIZED (
      SELECT DISTINCT payment_id
      FROM (
        SELECT delivery_id FROM to_deliver ${owned} UNION ALL SELECT delivery_id FROM dead_letters ${owned}
      ) few
      CROSS JOIN LATERAL (SELECT payment_id FROM deliveries WHERE id = few.delivery_id OFFSET 0) undelivered
      ${before === null ? sql`` : sql`WHERE payment_id < ${before}`}
    )
    SELECT ${paymentColumns}
    FROM (SELECT payment_id FROM missed ORDER BY payment_id DESC) newest
    CROSS JOIN LATERAL (SELECT ${paymentColumns} FROM payments WHERE id = newest.payment_id ${stateIs(state)} OFFSET 0) payments
    ORDER BY newest.payment_id DESC LIMIT ${options.limit}
  `.execute(options.database)
  return rows
}

const stateIs = (state: PaymentStateName | null): RawBuilder<unknown> =>
  state === null ? sql`` : sql`AND state = ${state}`
