import { sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { deliveriesPath, PATHS } from './links.ts'
import { begun, counted, countOf, instantOf, lengthOf, MOST_COUNTED, verb } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

/** How long a delivery may have been due, seconds. */
const LATE_SECONDS = 60

/** What ended for so long ago is history, days: by then its partner was told otherwise. */
const RECENT_DAYS = 7

/** Endpoints with dead deliveries that have a sentence of their own. */
const MOST_ENDPOINTS = 10

/** Deliveries that died lately for one endpoint; one more than are counted at most. */
export type DeadAtEndpoint = RowOf<'dead_letters', 'partner_id' | 'host'> & {
  partner: string
  dead: number
  first_at: Date
}

/** How many deliveries are due that nobody makes, one more than are counted at most, and since when. */
export type LateDeliveries = { late: number; since: Date | null }

/** Partners that are disabled while something of theirs still waits. */
export type DisabledPartner = RowOf<'partners', 'id' | 'name' | 'disabled_at'> & { waiting: number }

export type DeliveryFacts = {
  dead: DeadAtEndpoint[]
  late: LateDeliveries
  disabled: DisabledPartner[]
}

export const readDeliveries = async (transaction: Transaction<Schema>): Promise<DeliveryFacts> => ({
  dead: await readDead(transaction),
  late: await readLate(transaction),
  disabled: await readDisabled(transaction),
})

/** What somebody cancelled is not meant. */
const readDead = async (transaction: Transaction<Schema>): Promise<DeadAtEndpoint[]> => {
  const { rows } = await sql<DeadAtEndpoint>`
    SELECT few.*, coalesce(p.name, '') AS partner FROM (
      SELECT partner_id, host, count(*)::integer AS dead, min(at) AS first_at
      FROM (
        SELECT partner_id, host, at FROM dead_letters
        WHERE at > now() - make_interval(days => ${RECENT_DAYS}) AND partner_id > 0 AND reason NOT LIKE 'cancelled by %'
        ORDER BY at DESC LIMIT ${MOST_COUNTED + 1}
      ) newest
      GROUP BY partner_id, host ORDER BY dead DESC, partner_id, host LIMIT ${MOST_ENDPOINTS}
    ) few LEFT JOIN partners p ON p.id = few.partner_id
    ORDER BY dead DESC, few.partner_id, few.host
  `.execute(transaction)
  return rows
}

const readLate = async (transaction: Transaction<Schema>): Promise<LateDeliveries> => {
  const { rows } = await sql<LateDeliveries>`
    SELECT count(*)::integer AS late, min(due_at) AS since FROM (
      SELECT due_at FROM to_deliver
      WHERE held_at IS NULL AND leased_until <= now() AND partner_id > 0
        AND due_at < now() - make_interval(secs => ${LATE_SECONDS})
      ORDER BY due_at LIMIT ${MOST_COUNTED + 1}
    ) few
  `.execute(transaction)
  return rows[0] ?? { late: 0, since: null }
}

const readDisabled = async (transaction: Transaction<Schema>): Promise<DisabledPartner[]> => {
  const { rows } = await sql<DisabledPartner>`
    SELECT p.id, p.name, p.disabled_at, waiting.count AS waiting
    FROM partners p CROSS JOIN LATERAL (
      SELECT count(*)::integer AS count FROM (
        SELECT FROM to_deliver WHERE partner_id = p.id AND partner_id <> 0 LIMIT ${MOST_COUNTED + 1}
      ) few
    ) waiting
    WHERE p.disabled_at IS NOT NULL AND waiting.count > 0
    ORDER BY p.id LIMIT ${MOST_ENDPOINTS}
  `.execute(transaction)
  return rows
}

/** Pure. */
export const tellDeliveries = ({ dead, late, disabled }: DeliveryFacts, now: Date): Sentence[] => [
  ...tellLate(late, now),
  ...dead.map((one) => tellDead(one, now)),
  ...disabled.map((one) => tellDisabled(one, now)),
]

const tellLate = ({ late, since }: LateDeliveries, now: Date): Sentence[] => {
  if (since === null) return []
  const many = counted(late)
  return [
    sentence(
      {
        name: 'deliveries_late',
        severity: 'urgent',
        since,
        text: `${begun(countOf(many, 'outcome'))} ${verb(many, 'is', 'are')} due and not delivered, the oldest for ${lengthOf(since, now)}: is gateway dispatch running, and fast enough?`,
        command: 'gateway deliveries list --state pending',
        path: '/deliveries?state=pending',
      },
      many,
    ),
  ]
}

const tellDead = (one: DeadAtEndpoint, now: Date): Sentence => {
  const many = counted(one.dead)
  return sentence(
    {
      name: 'deliveries_dead',
      severity: 'act',
      since: one.first_at,
      partner: { id: one.partner_id, name: one.partner },
      host: one.host,
      text: `${begun(countOf(many, 'outcome'))} of ${one.partner} ${verb(many, 'was', 'were')} given up for its endpoint ${one.host} since ${instantOf(one.first_at, now)}: once it is back, send ${verb(many, 'it', 'them')} again.`,
      command: `gateway deliveries retry --state dead --partner ${one.partner_id} --host ${one.host}`,
      path: deliveriesPath(one, 'dead'),
    },
    many,
  )
}

const tellDisabled = (one: DisabledPartner, now: Date): Sentence => {
  const many = counted(one.waiting)
  const since = one.disabled_at === null ? '' : ` since ${instantOf(one.disabled_at, now)}`
  return sentence(
    {
      name: 'partner_disabled_with_waiting',
      severity: 'look',
      since: one.disabled_at,
      partner: { id: one.id, name: one.name },
      text: `${one.name} is disabled${since}, and ${countOf(many, 'outcome')} of its earlier payments still ${verb(many, 'waits', 'wait')} to be delivered.`,
      command: `gateway deliveries list --partner ${one.id}`,
      path: `${PATHS.endpoints}?partner=${one.id}`,
    },
    many,
  )
}
