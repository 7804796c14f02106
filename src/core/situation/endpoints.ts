import { sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { deliveriesPath, endpointCommand, PATHS } from './links.ts'
import { answerOf, begun, counted, countOf, instantOf, MOST_COUNTED, verb } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

/** An endpoint that is down, paused or only just coming back. */
export type TroubledEndpoint = RowOf<
  'endpoints',
  'partner_id' | 'host' | 'state' | 'paused_at' | 'paused_by' | 'changed_at'
> & {
  partner: string
  /** Outcomes that wait for it, one more than are counted at most. */
  waiting: number
  /** What the attempt came to that was made last of the one that waits longest, and when its first one failed. */
  status: number | null
  error_class: string | null
  failing_since: Date | null
  /** How many there are in all. */
  endpoints: number
}

/** So many endpoints have a sentence of their own, those that are troubled longest. */
const MOST_ENDPOINTS = 10

/** Each endpoint costs a look at the duties of its partner, oldest first, which is bounded. */
export const readEndpoints = async (transaction: Transaction<Schema>): Promise<TroubledEndpoint[]> => {
  const { rows } = await sql<TroubledEndpoint>`
    SELECT e.partner_id, e.host, e.state, e.paused_at, e.paused_by, e.changed_at, e.endpoints,
           coalesce(p.name, '') AS partner, greatest(waiting.count, held.count) AS waiting,
           tries.status, tries.error_class, tries.failing_since
    FROM (
      SELECT partner_id, host, state, paused_at, paused_by, changed_at, count(*) OVER ()::integer AS endpoints
      FROM endpoints WHERE partner_id > 0 AND (paused_at IS NOT NULL OR state <> 'closed')
      ORDER BY coalesce(paused_at, changed_at), partner_id, host LIMIT ${MOST_ENDPOINTS}
    ) e
    LEFT JOIN partners p ON p.id = e.partner_id
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE host = e.host)::integer AS count,
             min(delivery_id) FILTER (WHERE host = e.host) AS oldest_id
      FROM (
        SELECT delivery_id, host FROM to_deliver WHERE partner_id = e.partner_id AND partner_id <> 0
        ORDER BY partner_id, delivery_id LIMIT ${MOST_COUNTED + 1}
      ) few
    ) waiting
    CROSS JOIN LATERAL (
      SELECT count(*)::integer AS count FROM (
        SELECT FROM to_deliver WHERE partner_id = e.partner_id AND host = e.host AND held_at IS NOT NULL
        LIMIT ${MOST_COUNTED + 1}
      ) few
    ) held
    LEFT JOIN LATERAL (
      SELECT (array_agg(status ORDER BY number DESC))[1] AS status,
             (array_agg(error_class ORDER BY number DESC))[1] AS error_class, min(started_at) AS failing_since
      FROM (SELECT id, created_at FROM deliveries WHERE id = waiting.oldest_id OFFSET 0) d
      JOIN attempts a ON a.delivery_id = d.id AND a.started_at >= date_trunc('milliseconds', d.created_at)
      WHERE a.finished_at IS NOT NULL
    ) tries ON true
    ORDER BY coalesce(e.paused_at, e.changed_at), e.partner_id, e.host
  `.execute(transaction)
  return rows
}

/** Pure. */
export const tellEndpoints = (endpoints: readonly TroubledEndpoint[], now: Date): Sentence[] => {
  const more = (endpoints[0]?.endpoints ?? 0) - endpoints.length
  return [...endpoints.flatMap((endpoint) => tellEndpoint(endpoint, now)), ...tellMore(more)]
}

const tellMore = (more: number): Sentence[] =>
  more <= 0
    ? []
    : [
        sentence({
          name: 'endpoint_down',
          severity: 'act',
          count: more,
          text: `${begun(countOf({ count: more, isMore: false }, 'more endpoint'))} ${more === 1 ? 'is' : 'are'} down, paused or coming back.`,
          command: 'gateway deliveries endpoints',
          path: PATHS.endpoints,
        }),
      ]

const tellEndpoint = (endpoint: TroubledEndpoint, now: Date): Sentence[] => {
  const { partner_id, host, paused_at, state } = endpoint
  const many = counted(endpoint.waiting)
  const about = { ...many, partner: { id: partner_id, name: endpoint.partner }, host }
  const path = deliveriesPath(endpoint, 'held')
  const waits = `${begun(countOf(many, 'payment'))} of ${endpoint.partner} ${verb(many, 'waits', 'wait')}`
  if (paused_at !== null) {
    const who = endpoint.paused_by === null ? '' : ` by ${endpoint.paused_by}`
    const paused = `endpoint ${host} is paused${who} since ${instantOf(paused_at, now)}`
    return [
      sentence(
        {
          name: 'endpoint_paused',
          severity: now.getTime() - paused_at.getTime() > FORGOTTEN_MS ? 'act' : 'look',
          since: paused_at,
          text: many.count === 0 ? `The ${paused} for ${endpoint.partner}.` : `${waits}: its ${paused}.`,
          command: endpointCommand('deliveries resume', endpoint),
          path,
        },
        about,
      ),
    ]
  }
  if (state === 'ramping') return many.count === 0 ? [] : [tellRamping(endpoint, { about, waits, path, now })]
  const since = earlier(endpoint.failing_since, endpoint.changed_at)
  const answers = answerOf({ status: endpoint.status, errorClass: endpoint.error_class })
  const down = `endpoint ${host} ${answers} since ${instantOf(since, now)}`
  return [
    sentence(
      {
        name: 'endpoint_down',
        severity: many.count === 0 ? 'look' : 'act',
        since,
        text:
          many.count === 0
            ? `The ${down}; nothing of ${endpoint.partner} waits for it.`
            : `${waits}: its ${down}.`,
        command: endpointCommand('deliveries probe', endpoint),
        path,
      },
      about,
    ),
  ]
}

/** A pause for longer is one that somebody forgot, ms. */
const FORGOTTEN_MS = 86_400_000

const tellRamping = (
  endpoint: TroubledEndpoint,
  told: { about: Partial<Sentence>; waits: string; path: string; now: Date },
): Sentence =>
  sentence(
    {
      name: 'deliveries_held',
      severity: 'look',
      since: endpoint.changed_at,
      text: `${told.waits} a little longer: its endpoint ${endpoint.host} is back since ${instantOf(endpoint.changed_at, told.now)}, and they go out faster each second.`,
      command: `gateway deliveries list --state held --partner ${endpoint.partner_id} --host ${endpoint.host}`,
      path: told.path,
    },
    told.about,
  )

const earlier = (one: Date | null, other: Date): Date => (one !== null && one < other ? one : other)
