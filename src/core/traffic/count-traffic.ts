import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'
import { STEP } from './measures.ts'

// Traffic is counted once a minute, from what is committed: nothing on a payment's way writes anything for it. One row
// says how far it was counted; whoever has that row locked counts on from there and moves it, in one transaction. So any
// number of replicas share the work, and whatever happens counts once, also when a process dies at any instant.
//
// Events of payments are counted below the horizon, under which nothing is ever inserted (decision 37). Attempts have no
// such place: they are counted a minute after they finished, longer than any of their transactions may take.

/** How often it is counted, ms. */
const EVERY_MS = 60_000

/** How old an attempt is when it is counted, seconds: above what the transaction that records it may take. */
const SETTLED_SECONDS = 60

/** An attempt is recorded at most so long after it was started, seconds; it takes fifteen at most itself. */
const RECORDED_WITHIN_SECONDS = 120

/** What a round counts at most: transactions, and seconds of attempts. After a long pause rounds follow each other. */
const MOST_POSITIONS = 50_000
const MOST_SECONDS = 600

/** How long counts are kept, days. */
export const KEPT_DAYS = { minute: 2, quarter: 9, hour: 35 } as const

/** How often the old ones are forgotten: once in so many rounds. */
const FORGET_EVERY = 60

/** Counts the traffic of all replicas. */
export const startCountingTraffic = (options: { database: Database; log: Log }): Loop => {
  let rounds = 0
  return startLoop({
    name: 'traffic',
    idleMs: EVERY_MS,
    round: async () => {
      const isBehind = await countTraffic(options.database)
      if (!isBehind && rounds % FORGET_EVERY === 0) await forgetCounts(options.database)
      rounds += 1
      return isBehind
    },
    isOutage,
    log: options.log,
  })
}

type Counted = RowOf<'traffic_counted', 'events_to' | 'attempts_to'>

/**
 * Counts what happened since it was counted last; resolves with true when there is more than a round takes. Of two that
 * count at once one does, the other finds nothing to do.
 */
export const countTraffic = async (
  database: Database,
  { settledSeconds = SETTLED_SECONDS }: { settledSeconds?: number } = {},
): Promise<boolean> => {
  const isBehind = await database.transaction().execute(async (transaction) => {
    // BRIN is read in no other way; all else is looked up by an index, as in every process.
    await sql`SELECT set_config('enable_bitmapscan', 'on', true)`.execute(transaction)
    const from = await lockCounted(transaction)
    if (from === null) return false
    const to = await readEnds(transaction, from, settledSeconds)
    await addCounts(transaction, from, to)
    await moveOn(transaction, to)
    crashPoint('count_traffic.before_commit')
    return to.is_behind
  })
  crashPoint('count_traffic.after_commit')
  return isBehind
}

/** Null: another process counts just now, or begins to. */
const lockCounted = async (transaction: Transaction<Schema>): Promise<Counted | null> => {
  const locked = () =>
    transaction
      .selectFrom('traffic_counted')
      .select(['events_to', 'attempts_to'])
      .forUpdate()
      .skipLocked()
      .executeTakeFirst()
  const known = await locked()
  if (known !== undefined) return known
  // What happened before the first time is history.
  await sql`
    INSERT INTO traffic_counted (events_to, events_at, attempts_to)
    VALUES (event_horizon(), now(), date_trunc('minute', now())) ON CONFLICT DO NOTHING
  `.execute(transaction)
  return (await locked()) ?? null
}

type Ends = Counted & { is_current: boolean; is_behind: boolean }

/** Up to where this round counts. Where the horizon stands still a transaction is open that may write below it yet. */
const readEnds = async (
  transaction: Transaction<Schema>,
  from: Counted,
  settledSeconds: number,
): Promise<Ends> => {
  const { rows } = await sql<Ends>`
    SELECT events_to, attempts_to, events_to = horizon AND events_to > ${from.events_to}::bigint AS is_current,
           events_to < horizon OR attempts_to < settled AS is_behind
    FROM (
      SELECT horizon, settled, least(horizon, ${from.events_to}::bigint + ${MOST_POSITIONS}) AS events_to,
             greatest(
               ${from.attempts_to}::timestamptz,
               least(settled, ${from.attempts_to}::timestamptz + make_interval(secs => ${MOST_SECONDS}))
             ) AS attempts_to
      FROM (
        SELECT event_horizon() AS horizon, date_trunc('second', now() - make_interval(secs => ${settledSeconds})) AS settled
      ) now
    ) ends
  `.execute(transaction)
  const [ends] = rows
  if (!ends) throw new Error('a SELECT of one row gave none')
  return ends
}

const moveOn = async (transaction: Transaction<Schema>, to: Ends): Promise<void> => {
  await transaction
    .updateTable('traffic_counted')
    .set({
      events_to: to.events_to,
      attempts_to: to.attempts_to,
      ...(to.is_current && { events_at: sql`now()` }),
    })
    .execute()
}

/** One statement: what happened, by partner and minute; then for all partners together, and for each span. */
const addCounts = async (transaction: Transaction<Schema>, from: Counted, to: Counted): Promise<void> => {
  await sql`
    WITH happened AS (
      SELECT partner_id, date_trunc('minute', at, 'UTC') AS at, measure, label, count(*) AS count
      FROM (${accepted(from, to)} UNION ALL ${moved(from, to)} UNION ALL ${delivered(from, to)}) each
      WHERE partner_id > 0
      GROUP BY 1, 2, 3, 4
    )
    INSERT INTO traffic_counts (partner_id, span, at, measure, label, count)
    SELECT whose.id, span, date_bin(length, happened.at, ${BEGINNING}), measure, label, sum(count)
    FROM happened
    CROSS JOIN LATERAL (VALUES (0::bigint), (happened.partner_id)) AS whose (id)
    CROSS JOIN (VALUES ('minute', interval '1 minute'), ('quarter', interval '15 minutes'), ('hour', interval '1 hour'))
      AS spans (span, length)
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (partner_id, span, at, measure, label) DO UPDATE SET count = traffic_counts.count + excluded.count
  `.execute(transaction)
}

/** Quarters and hours begin with those of UTC. */
const BEGINNING = sql`'2000-01-01T00:00:00Z'::timestamptz`

const accepted = (from: Counted, to: Counted): RawBuilder<unknown> => sql`
  SELECT partner_id, created_at AS at, 'accepted' AS measure, '' AS label FROM payments
  WHERE accepted_position >= ${from.events_to}::bigint AND accepted_position < ${to.events_to}::bigint
`

const moved = (from: Counted, to: Counted): RawBuilder<unknown> => sql`
  SELECT payment.partner_id, moves.at, told.measure, told.label
  FROM payment_history moves
  CROSS JOIN LATERAL (SELECT partner_id, result_code FROM payments WHERE id = moves.payment_id OFFSET 0) payment
  CROSS JOIN LATERAL (
    SELECT 'prompted' AS measure, '' AS label WHERE to_state = 'submitted'
    UNION ALL SELECT 'paid', '' WHERE to_state = 'successful'
    UNION ALL SELECT 'failed', coalesce(payment.result_code, '') WHERE to_state = 'failed'
    UNION ALL SELECT 'called_back', '' WHERE to_state IN ('successful', 'failed') AND cause = 'callback'
  ) told
  WHERE moves.event_position >= ${from.events_to}::bigint AND moves.event_position < ${to.events_to}::bigint
`

/** What a partner has answered; of what was sent again, the time from its acceptance says nothing. */
const delivered = (from: Counted, to: Counted): RawBuilder<unknown> => sql`
  SELECT delivery.partner_id, tried.finished_at, told.measure, told.label
  FROM attempts tried
  CROSS JOIN LATERAL (
    SELECT partner_id, payment_id, retried_at FROM deliveries WHERE id = tried.delivery_id OFFSET 0
  ) delivery
  CROSS JOIN LATERAL (SELECT created_at FROM payments WHERE id = delivery.payment_id OFFSET 0) payment
  CROSS JOIN LATERAL (
    SELECT 'delivered' AS measure, '' AS label
    UNION ALL SELECT 'told_within', ceil(
      ln(greatest(1, extract(epoch FROM tried.finished_at - payment.created_at) * 1000)) / ln(${STEP}::numeric)
    )::integer::text WHERE delivery.retried_at IS NULL
  ) told
  WHERE tried.started_at >= ${from.attempts_to}::timestamptz - make_interval(secs => ${RECORDED_WITHIN_SECONDS})
    AND tried.started_at < ${to.attempts_to}::timestamptz
    AND tried.finished_at >= ${from.attempts_to}::timestamptz AND tried.finished_at < ${to.attempts_to}::timestamptz
    AND tried.status BETWEEN 200 AND 299 AND tried.error_class IS NULL
`

/** Forgets counts that are old, each partner's by the index. */
export const forgetCounts = async (database: Database): Promise<void> => {
  for (const [span, days] of Object.entries(KEPT_DAYS)) {
    await sql`
      DELETE FROM traffic_counts USING (SELECT 0::bigint AS id UNION ALL SELECT id FROM partners) whose
      WHERE traffic_counts.partner_id = whose.id AND span = ${span} AND at < now() - make_interval(days => ${days})
    `.execute(database)
  }
}
