import { type Selectable, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/given-rows.ts'
import type { PaymentsTable } from '../../database/schema/payments.ts'
import { isTestId, testIdOf } from '../../values/test-partner.ts'

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
  'metadata',
] as const satisfies readonly (keyof PaymentsTable)[]

export type PaymentRow = Pick<Selectable<PaymentsTable>, (typeof PAYMENT_COLUMNS)[number]>

/** The columns of a `PaymentRow`, for a statement that says `payments`. */
export const paymentColumns = sql.join(PAYMENT_COLUMNS.map((column) => sql.ref(`payments.${column}`)))

/**
 * Whose payments are seen: one partner's, or (for operators and services) everybody's. Lists of everybody's have the
 * real ones, or else the test payments.
 */
export type Owner = { partnerId: bigint } | 'anybody' | 'anybody_testing'

/** Whether it is test payments that are seen. */
export const isTesting = (owner: Owner): boolean =>
  owner === 'anybody_testing' || (typeof owner === 'object' && isTestId(owner.partnerId))

/** A partner, or everybody (null), with real or test payments. */
export const ownerOf = (partnerId: bigint | null, isTest: boolean): Owner => {
  if (partnerId === null) return isTest ? 'anybody_testing' : 'anybody'
  return { partnerId: isTest ? testIdOf(partnerId) : partnerId }
}

/** One payment; undefined when there is none, or when it is another's. */
export const findPayment = (
  database: Database,
  owner: Owner,
  paymentId: bigint,
): Promise<PaymentRow | undefined> => {
  const query = database.selectFrom('payments').select(PAYMENT_COLUMNS).where('id', '=', paymentId)
  const owned = typeof owner === 'string' ? query : query.where('partner_id', '=', owner.partnerId)
  return owned.executeTakeFirst()
}

/** Those of the payments that the owner has, in no order. */
export const findPaymentsOf = (
  database: Database,
  owner: Owner,
  paymentIds: readonly bigint[],
): Promise<PaymentRow[]> => {
  const query = database
    .selectFrom('payments')
    .select(PAYMENT_COLUMNS)
    .where('id', '=', anyOf('payments.id', paymentIds))
  const owned = typeof owner === 'string' ? query : query.where('partner_id', '=', owner.partnerId)
  return owned.execute()
}

/** Every move of a payment, oldest first. */
export const findHistory = (database: Database, paymentId: bigint) =>
  database
    .selectFrom('payment_history')
    .select(['at', 'from_state', 'to_state', 'cause', 'detail', 'operator'])
    .where('payment_id', '=', paymentId)
    .orderBy('at')
    .execute()

/** What is read of a finding. */
export const FINDING_COLUMNS = [
  'payment_findings.id',
  'payment_id',
  'payment_findings.at',
  'payment_findings.kind',
  'detail',
  'acknowledged_at',
  'acknowledged_by',
  'note',
] as const

export type FindingRow = Awaited<ReturnType<typeof findFindings>>[number]

/** What did not fit about a payment, oldest first. */
export const findFindings = (database: Database, paymentId: bigint) =>
  database
    .selectFrom('payment_findings')
    .select(FINDING_COLUMNS)
    .where('payment_id', '=', paymentId)
    .orderBy('at')
    .execute()

/**
 * What did not fit about at most `limit` payments of an owner with an id below `before`, of one kind or all, the newest
 * payments first; all that is of such a payment.
 */
export const listFindings = async (options: {
  database: Database
  owner: Owner
  kind: string | null
  before: bigint
  limit: number
}) => {
  const { database, owner, kind } = options
  const query = database
    .selectFrom('payment_findings')
    .select(FINDING_COLUMNS)
    .$if(kind !== null, (all) => all.where('payment_findings.kind', '=', kind ?? ''))
  const newest = database
    .selectFrom('payment_findings')
    .select('payment_id')
    .distinct()
    .where('payment_id', '<', options.before)
    .$if(kind !== null, (all) => all.where('payment_findings.kind', '=', kind ?? ''))
    .$if(typeof owner === 'object', (all) =>
      all.where((eb) =>
        eb.exists(
          eb
            .selectFrom('payments')
            .select('id')
            .whereRef('id', '=', 'payment_findings.payment_id')
            .where('partner_id', '=', typeof owner === 'object' ? owner.partnerId : 0n),
        ),
      ),
    )
    .orderBy('payment_id', 'desc')
    .limit(options.limit)
  return query.where('payment_id', 'in', newest).orderBy('payment_id', 'desc').orderBy('at').execute()
}

/**
 * The ids of open payments, real or test ones: every one has a duty, to be submitted, queried or confirmed, so no index on the
 * state is needed. Ids of paid payments whose receipt is looked for are among them.
 */
export const idsWithDuties = (isTest: boolean) => {
  const ofThese = isTest ? sql`account_id < 0` : sql`account_id >= 0`
  return sql`
    SELECT payment_id AS id FROM to_submit WHERE ${ofThese}
    UNION SELECT payment_id FROM to_query WHERE ${ofThese} UNION SELECT payment_id FROM to_confirm WHERE ${ofThese}
  `
}

/** Holds for a row of `payments` that has no outcome. */
export const isOpen = sql`payments.state IN ('accepted', 'submitting', 'submitted', 'unconfirmed')`

const isOlderThan = (ageMs: number) =>
  sql`payments.created_at < now() - make_interval(secs => ${ageMs / 1000})`

/** At most `limit` open payments of an owner with an id above `after`, that are at least `ageMs` old, oldest first. */
export const listOpenPayments = async (options: {
  database: Database
  owner: Owner
  ageMs: number
  after: bigint
  limit: number
}): Promise<PaymentRow[]> => {
  const { owner } = options
  const isOwned =
    typeof owner === 'object' ? sql`payments.partner_id = ${owner.partnerId}::bigint` : sql`true`
  const { rows } = await sql<PaymentRow>`
    SELECT ${paymentColumns} FROM payments JOIN (${idsWithDuties(isTesting(owner))}) duties USING (id)
    WHERE ${isOpen} AND ${isOlderThan(options.ageMs)} AND ${isOwned} AND payments.id > ${options.after}
    ORDER BY payments.id LIMIT ${options.limit}
  `.execute(options.database)
  return rows
}

/** How many open payments are at least `ageMs` old; test payments do not count. */
export const countOverduePayments = async (database: Database, ageMs: number): Promise<number> => {
  const { rows } = await sql<{ count: bigint }>`
    SELECT count(*) FROM payments JOIN (${idsWithDuties(false)}) duties USING (id) WHERE ${isOpen} AND ${isOlderThan(ageMs)}
  `.execute(database)
  return Number(rows[0]?.count ?? 0)
}
