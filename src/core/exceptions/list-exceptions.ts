import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import {
  FINDING_COLUMNS,
  type FindingRow,
  findPaymentsOf,
  isOpen,
  type Owner,
  type PaymentRow,
  paymentColumns,
} from '../payments/find.ts'
import { findIdBounds } from '../payments/id-bounds.ts'

// What needs a human, oldest first: payments that are open for too long, in the order of their ids, and findings that
// nobody has acknowledged, in the order of theirs; both orders are that of time. Each has a cursor of its own, and a page
// is the two put together. What is read is bounded by what is open: duties, and the index of what is not acknowledged.

export const EXCEPTION_KINDS = ['unconfirmed', 'overdue', 'finding'] as const

export type ExceptionKind = (typeof EXCEPTION_KINDS)[number]

/** Where a page begins: after the payment, and after the finding, of these ids. */
export type ExceptionCursor = { paymentId: bigint; findingId: bigint }

/** An open payment, and what the gateway is still to do about it. */
export type OverduePayment = PaymentRow & {
  push_at: Date | null
  query_at: Date | null
  queries: number | null
}

export type ListedException =
  | { kind: 'unconfirmed' | 'overdue'; since: Date; payment: OverduePayment }
  /** Without its payment where that is not there. */
  | { kind: 'finding'; since: Date; payment: PaymentRow | null; finding: FindingRow }

type Sought = {
  database: Database
  owner: Owner
  /** Null: every kind. */
  kind: ExceptionKind | null
  /** How long a payment may be open, ms. */
  overdueAfterMs: number
  cursor: ExceptionCursor
  limit: number
}

/** At most `limit` exceptions after the cursor, and where the next page begins; null on the last. */
export const listExceptions = async (
  sought: Sought,
): Promise<{ exceptions: ListedException[]; next: ExceptionCursor | null }> => {
  const { kind, limit, cursor } = sought
  const all = merge(
    kind === 'finding' ? [] : await findOverdue(sought),
    kind === null || kind === 'finding' ? await findUnacknowledged(sought) : [],
  )
  const exceptions = all.slice(0, limit)
  return { exceptions, next: all.length > limit ? cursorAfter(cursor, exceptions) : null }
}

/** Two lists as one, the older head first; each stays in its own order, so that a cursor passes nothing over. Pure. */
const merge = (payments: readonly ListedException[], findings: readonly ListedException[]) => {
  const merged: ListedException[] = []
  const [ours, theirs] = [payments.values(), findings.values()]
  let [payment, finding] = [ours.next().value, theirs.next().value]
  while (payment !== undefined || finding !== undefined) {
    if (finding === undefined || (payment !== undefined && payment.since <= finding.since)) {
      if (payment !== undefined) merged.push(payment)
      payment = ours.next().value
    } else {
      merged.push(finding)
      finding = theirs.next().value
    }
  }
  return merged
}

const cursorAfter = (cursor: ExceptionCursor, exceptions: readonly ListedException[]): ExceptionCursor => {
  let { paymentId, findingId } = cursor
  for (const one of exceptions) {
    if (one.kind === 'finding') findingId = one.finding.id
    else paymentId = one.payment.id
  }
  return { paymentId, findingId }
}

/** One more than a page has, which shows whether there is a next one. */
const findOverdue = async (sought: Sought): Promise<ListedException[]> => {
  const { database, overdueAfterMs, limit } = sought
  const { rows: clocks } = await sql<{ before: Date }>`
    SELECT now() - make_interval(secs => ${overdueAfterMs / 1000}) AS before
  `.execute(database)
  const before = clocks[0]?.before ?? new Date(0)
  const { below } = await findIdBounds(database, { createdFrom: null, createdTo: before })
  const found = (['to_submit', 'to_query', 'to_confirm'] as const).map((duties) =>
    openPaymentsWith(duties, sought, { before, below: below ?? 0n }),
  )
  const { rows } = await sql<OverduePayment>`
    SELECT ${paymentColumns}, submit.due_at AS push_at, query.due_at AS query_at, query.queries
    FROM (SELECT DISTINCT id FROM (${sql.join(found, sql` UNION ALL `)}) every ORDER BY id LIMIT ${limit + 1}) overdue
    CROSS JOIN LATERAL (SELECT ${paymentColumns} FROM payments WHERE id = overdue.id OFFSET 0) payments
    LEFT JOIN to_submit submit ON submit.payment_id = payments.id
    LEFT JOIN to_query query ON query.payment_id = payments.id
    ORDER BY payments.id
  `.execute(database)
  return rows.map((payment) => ({
    kind: payment.state === 'unconfirmed' ? 'unconfirmed' : 'overdue',
    since: payment.created_at,
    payment,
  }))
}

/** The oldest open payments that have one kind of duty, of real payments: read along the key of the duties. */
const openPaymentsWith = (
  duties: 'to_submit' | 'to_query' | 'to_confirm',
  { owner, kind, cursor, limit }: Sought,
  { before, below }: { before: Date; below: bigint },
): RawBuilder<unknown> => {
  const isOwned =
    typeof owner === 'object' ? sql`payments.partner_id = ${owner.partnerId}::bigint` : sql`true`
  const ofKind = {
    unconfirmed: sql`payments.state = 'unconfirmed'`,
    overdue: sql`payments.state <> 'unconfirmed'`,
    finding: sql`false`,
  }
  return sql`(
    SELECT open.id FROM ${sql.table(duties)} duty
    CROSS JOIN LATERAL (
      SELECT id FROM payments
      WHERE id = duty.payment_id AND ${isOpen} AND ${isOwned} AND payments.created_at < ${before}
        AND ${kind === null ? sql`true` : ofKind[kind]}
      OFFSET 0
    ) open
    WHERE duty.payment_id > ${cursor.paymentId} AND duty.payment_id < ${below} AND duty.account_id >= 0
    ORDER BY duty.payment_id LIMIT ${limit + 1}
  )`
}

const findUnacknowledged = async ({ database, owner, cursor, limit }: Sought): Promise<ListedException[]> => {
  const findings = await database
    .selectFrom('payment_findings')
    .select(FINDING_COLUMNS)
    .where('acknowledged_at', 'is', null)
    .where('payment_findings.id', '>', cursor.findingId)
    .$if(typeof owner === 'object', (query) =>
      query.where((eb) =>
        eb.exists(
          eb
            .selectFrom('payments')
            .select('payments.id')
            .whereRef('payments.id', '=', 'payment_findings.payment_id')
            .where('partner_id', '=', typeof owner === 'object' ? owner.partnerId : 0n),
        ),
      ),
    )
    .orderBy('payment_findings.id')
    .limit(limit + 1)
    .execute()
  const ids = [...new Set(findings.map((finding) => finding.payment_id))]
  const payments = new Map((await findPaymentsOf(database, 'anybody', ids)).map((row) => [row.id, row]))
  return findings.map((finding) => ({
    kind: 'finding',
    since: finding.at,
    payment: payments.get(finding.payment_id) ?? null,
    finding,
  }))
}
