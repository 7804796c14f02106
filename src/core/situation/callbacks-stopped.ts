import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { PATHS } from './links.ts'
import { instantOf, lengthOf } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

// What the counts of traffic show: whether callbacks come, and whether anybody counts.

/** How far back is looked for a callback, hours. */
const WITHIN_HOURS = 6

/** A payer who was prompted so long ago has decided, or the prompt is gone, seconds; and traffic is counted up to then. */
const DECIDED_SECONDS = 240

/** So many payers are asked in vain by chance. */
const FEW = 5

/** Traffic is counted every minute; later than this, nobody counts, seconds. */
const COUNTED_SECONDS = 300

export type TrafficFacts = {
  /** Payers who were prompted since the last callback settled a payment, and when the first of them was. */
  unanswered: number
  since: Date | null
  /** Up to when traffic is counted; null: nobody has begun to. */
  counted_to: Date | null
}

export const readTraffic = async (transaction: Transaction<Schema>): Promise<TrafficFacts> => {
  const { rows } = await sql<TrafficFacts>`
    WITH recent AS (
      SELECT at, measure, count FROM traffic_counts
      WHERE partner_id = 0 AND span = 'minute' AND at > now() - make_interval(hours => ${WITHIN_HOURS})
        AND measure IN ('called_back', 'prompted')
    ), called AS (
      SELECT max(at) AS last_at FROM recent WHERE measure = 'called_back'
    )
    SELECT coalesce(sum(count), 0)::integer AS unanswered, min(at) AS since,
           (SELECT least(events_at, attempts_to) FROM traffic_counted) AS counted_to
    FROM recent CROSS JOIN called
    WHERE measure = 'prompted' AND at < now() - make_interval(secs => ${DECIDED_SECONDS})
      AND (last_at IS NULL OR at > last_at)
  `.execute(transaction)
  return rows[0] ?? { unanswered: 0, since: null, counted_to: null }
}

/** Pure. */
export const tellTraffic = (facts: TrafficFacts, now: Date): Sentence[] => [
  ...tellStopped(facts, now),
  ...tellUncounted(facts, now),
]

const tellStopped = ({ unanswered, since }: TrafficFacts, now: Date): Sentence[] =>
  unanswered < FEW || since === null
    ? []
    : [
        sentence({
          name: 'no_callbacks_since',
          severity: 'act',
          since,
          count: unanswered,
          text: `No callback of Daraja has settled a payment since ${instantOf(since, now)}, though ${unanswered} payers were prompted: is PUBLIC_URL reachable from outside?`,
          command: 'gateway payments list --open',
          path: `${PATHS.payments}?state=submitted`,
        }),
      ]

const tellUncounted = ({ counted_to }: TrafficFacts, now: Date): Sentence[] =>
  counted_to === null || now.getTime() - counted_to.getTime() < COUNTED_SECONDS * 1000
    ? []
    : [
        sentence({
          name: 'traffic_late',
          severity: 'look',
          since: counted_to,
          text: `Traffic is counted up to ${instantOf(counted_to, now)}, ${lengthOf(counted_to, now)} ago: does no gateway serve run, or does a transaction that writes stay open in Postgres?`,
          command: 'gateway traffic',
          path: PATHS.traffic,
        }),
      ]
