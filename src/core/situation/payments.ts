import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { PATHS } from './links.ts'
import { begun, counted, countOf, instantOf, lengthOf, MOST_COUNTED, verb } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

/** Open payments of each kind of duty that are looked up at most: each is a look at the history. */
const MOST_LOOKED_UP = 50

/** Duties among which those are looked for that are to be confirmed: a paid payment has one too while its receipt is looked for, for two days. */
const MOST_DUTIES = 2_000

/** Newest payments, and newest findings, among which real ones are looked for: the others are of test payments. */
const MOST_PASSED = 2_000

/** How long a callback may wait to be interpreted, seconds. */
const LATE_SECONDS = 60

/** Findings of so many days are told of, but for those that somebody has seen to. */
const RECENT_DAYS = 7

/** Open payments of one partner, or paid ones that wait for nothing, that are older than they should be. */
type Overdue = {
  partner_id: bigint
  partner: string
  is_unconfirmed: boolean
  payments: number
  since: Date
}

/** What does not fit, of one kind. */
type Found = { kind: string; findings: number; first_at: Date; payment_id: bigint }

export type PaymentFacts = {
  overdue: Overdue[]
  /** More payments may be overdue than were looked up. */
  isMoreOverdue: boolean
  findings: Found[]
  callbacks: { late: number; since: Date | null }
  /** When the newest payment was accepted; null: there is none among the newest. */
  newestAt: Date | null
  /** There are payments, and none of the newest is real. */
  areTests: boolean
}

export const readPayments = async (
  transaction: Transaction<Schema>,
  { overdueAfterMs }: { overdueAfterMs: number },
): Promise<PaymentFacts> => ({
  ...(await readOverdue(transaction, overdueAfterMs)),
  findings: await readFindings(transaction),
  callbacks: await readLateCallbacks(transaction),
  ...(await readNewest(transaction)),
})

const OPEN = sql`('accepted', 'submitting', 'submitted', 'unconfirmed')`

type Candidates = { ids: bigint[]; isMore: boolean }

/**
 * Ids grow with time, so the oldest open payments are those with the least ids among the duties. Those that are pushed and
 * asked for are open; of those that are looked for in M-PESA's records the open ones are found by their state.
 */
const readCandidates = async (transaction: Transaction<Schema>): Promise<Candidates> => {
  const ids: bigint[] = []
  let isMore = false
  for (const duties of [
    oldest('to_submit', AT_MOST),
    oldest('to_query', AT_MOST),
    openAmong(oldest('to_confirm', MOST_DUTIES)),
  ]) {
    const { rows } = await sql<RowOf<'to_submit', 'payment_id'>>`${duties} LIMIT ${AT_MOST}`.execute(
      transaction,
    )
    isMore ||= rows.length > MOST_LOOKED_UP
    ids.push(...rows.slice(0, MOST_LOOKED_UP).map(({ payment_id }) => payment_id))
  }
  return { ids: [...new Set(ids)], isMore }
}

/** One more than is looked up shows whether there are more. */
const AT_MOST = MOST_LOOKED_UP + 1

const oldest = (table: 'to_submit' | 'to_query' | 'to_confirm', atMost: number): RawBuilder<unknown> =>
  sql`SELECT payment_id FROM (
    SELECT payment_id FROM ${sql.table(table)} WHERE account_id >= 0 ORDER BY payment_id LIMIT ${atMost}
  ) duties`

const openAmong = (duties: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  ${duties} CROSS JOIN LATERAL (SELECT state FROM payments WHERE id = payment_id OFFSET 0) payment WHERE state IN ${OPEN}
`

const readOverdue = async (
  transaction: Transaction<Schema>,
  afterMs: number,
): Promise<Pick<PaymentFacts, 'overdue' | 'isMoreOverdue'>> => {
  const { ids, isMore } = await readCandidates(transaction)
  const { rows } = await sql<Overdue>`
    SELECT old.*, coalesce(partners.name, '') AS partner FROM (
      SELECT partner_id, state = 'unconfirmed' AS is_unconfirmed, count(*)::integer AS payments, min(created_at) AS since
      FROM unnest(${ids}::bigint[]) AS given (id) CROSS JOIN LATERAL (
        SELECT partner_id, state, created_at FROM payments WHERE id = given.id OFFSET 0
      ) open
      WHERE partner_id > 0 AND state IN ${OPEN}
        AND created_at < now() - make_interval(secs => ${afterMs / 1000})
      GROUP BY partner_id, state = 'unconfirmed'
    ) old LEFT JOIN partners ON partners.id = old.partner_id
    ORDER BY is_unconfirmed, payments DESC, old.partner_id
  `.execute(transaction)
  return { overdue: rows, isMoreOverdue: isMore && rows.length > 0 }
}

const readFindings = async (transaction: Transaction<Schema>): Promise<Found[]> => {
  const { rows } = await sql<Found>`
    SELECT kind, count(*)::integer AS findings, min(at) AS first_at, max(payment_id) AS payment_id FROM (
      SELECT few.* FROM (
        SELECT kind, at, payment_id FROM payment_findings
        WHERE at > now() - make_interval(days => ${RECENT_DAYS}) AND acknowledged_at IS NULL
        ORDER BY at DESC LIMIT ${MOST_PASSED}
      ) few
      CROSS JOIN LATERAL (SELECT partner_id FROM payments WHERE id = few.payment_id OFFSET 0) payment
      WHERE partner_id > 0 LIMIT ${AT_MOST}
    ) found
    GROUP BY kind ORDER BY findings DESC, kind
  `.execute(transaction)
  return rows
}

/** Ids of callbacks grow with time. */
const readLateCallbacks = async (transaction: Transaction<Schema>): Promise<PaymentFacts['callbacks']> => {
  const { rows } = await sql<PaymentFacts['callbacks']>`
    SELECT count(*)::integer AS late, min(due_at) AS since
    FROM (SELECT due_at FROM to_interpret ORDER BY callback_id LIMIT ${MOST_COUNTED + 1}) few
    WHERE due_at < now() - make_interval(secs => ${LATE_SECONDS})
  `.execute(transaction)
  return rows[0] ?? { late: 0, since: null }
}

const readNewest = async (
  transaction: Transaction<Schema>,
): Promise<Pick<PaymentFacts, 'newestAt' | 'areTests'>> => {
  const newest = sql`SELECT created_at, partner_id FROM payments ORDER BY id DESC LIMIT ${MOST_PASSED}`
  const { rows } = await sql<{ newest_at: Date | null; is_any: boolean }>`
    SELECT (SELECT created_at FROM (${newest}) newest WHERE partner_id > 0 LIMIT 1) AS newest_at,
           EXISTS (${newest}) AS is_any
  `.execute(transaction)
  const newestAt = rows[0]?.newest_at ?? null
  return { newestAt, areTests: newestAt === null && rows[0]?.is_any === true }
}

/** Pure. */
export const tellPayments = (facts: PaymentFacts, now: Date): Sentence[] => [
  ...tellOverdue(facts, now),
  ...tellFindings(facts.findings, now),
  ...tellLateCallbacks(facts.callbacks, now),
]

const tellOverdue = ({ overdue, isMoreOverdue }: PaymentFacts, now: Date): Sentence[] =>
  [false, true].flatMap((isUnconfirmed) => {
    const of = overdue.filter(({ is_unconfirmed }) => is_unconfirmed === isUnconfirmed)
    const [first] = of
    if (first === undefined) return []
    const many = { count: of.reduce((sum, { payments }) => sum + payments, 0), isMore: isMoreOverdue }
    const since = of.reduce((oldest, one) => (one.since < oldest ? one.since : oldest), first.since)
    const whose = of.length === 1 ? `of ${first.partner}` : `of ${of.length} partners`
    const waiting = `${begun(countOf(many, 'payment'))} ${whose}`
    const text = isUnconfirmed
      ? `${waiting} ${verb(many, 'is', 'are')} unconfirmed, the oldest since ${instantOf(since, now)}: nobody knows whether the payer was prompted, so look at M-PESA’s statement.`
      : `${waiting} ${verb(many, 'is', 'are')} still open, the oldest since ${instantOf(since, now)}: neither a callback nor Daraja’s answer has settled ${verb(many, 'it', 'them')}.`
    return [
      sentence(
        {
          name: isUnconfirmed ? 'payments_unconfirmed' : 'payments_overdue',
          severity: 'act',
          since,
          partner: of.length === 1 ? { id: first.partner_id, name: first.partner } : null,
          text,
          command: 'gateway payments list --overdue',
          path: PATHS.exceptions,
        },
        many,
      ),
    ]
  })

const tellFindings = (findings: readonly Found[], now: Date): Sentence[] => {
  const [first] = findings
  if (first === undefined) return []
  const many = counted(
    findings.reduce((sum, one) => sum + one.findings, 0),
    MOST_LOOKED_UP,
  )
  const since = findings.reduce(
    (oldest, one) => (one.first_at < oldest ? one.first_at : oldest),
    first.first_at,
  )
  const kinds = findings.map(({ kind }) => kind.replaceAll('_', ' ')).join(', ')
  return [
    sentence(
      {
        name: 'findings_open',
        severity: 'act',
        since,
        text: `${begun(countOf(many, 'thing'))} did not fit what is known of payments since ${instantOf(since, now)} (${kinds}): compare with M-PESA’s statement.`,
        command: 'gateway payments findings',
        path: PATHS.exceptions,
      },
      many,
    ),
  ]
}

const tellLateCallbacks = ({ late, since }: PaymentFacts['callbacks'], now: Date): Sentence[] => {
  if (since === null) return []
  const many = counted(late)
  return [
    sentence(
      {
        name: 'callbacks_late',
        severity: 'urgent',
        since,
        text: `${begun(countOf(many, 'callback'))} of Daraja ${verb(many, 'waits', 'wait')} to be interpreted, the oldest for ${lengthOf(since, now)}: is gateway serve running, and what does its log say?`,
        command: 'gateway payments list --open',
        path: PATHS.payments,
      },
      many,
    ),
  ]
}
