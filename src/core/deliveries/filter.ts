import { type RawBuilder, sql } from 'kysely'
import { isOfPartner } from '../../database/expressions.ts'
import { ERROR_CLASSES } from '../../values/error-class.ts'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'

/** Where a delivery stands, as operators see it: `held` is one that waits for its endpoint. */
export const DELIVERY_STATES = ['pending', 'held', 'delivered', 'dead', 'cancelled'] as const

export type ShownDeliveryState = (typeof DELIVERY_STATES)[number]

/** Which deliveries: those that fit every field that is not null. */
export type DeliveryFilter = {
  partnerId: bigint | null
  /** Of test payments, where no partner is named; one that is named has an id of its own for these. */
  isTest: boolean
  host: string | null
  state: ShownDeliveryState | null
  /** Of the last attempt. */
  errorClass: string | null
  /** Created at this instant or later. */
  createdSince: Date | null
  /** Created before this instant. */
  createdUntil: Date | null
}

/** The same, or any state but delivered. */
type AnyFilter = Omit<DeliveryFilter, 'state'> & { state: ShownDeliveryState | 'undelivered' | null }

/**
 * Parses the host of an endpoint, as it stands in callback URLs: lower case, with its port unless it is the usual one.
 */
export const parseHost = (text: string): Parsed<string> => {
  const host = text.toLowerCase()
  // A port that is the usual one of https stands in the host of an endpoint over http.
  const isHost = ['https', 'http'].some((scheme) => URL.parse(`${scheme}://${host}`)?.host === host)
  return isHost
    ? valid(host)
    : invalid('must be the host of a callback URL alone, like shop.co.ke or shop.co.ke:8443')
}

/** Parses the name of a class of error, such as `dns` or `timeout`. */
export const parseErrorClass = (text: string): Parsed<string> =>
  ERROR_CLASSES.some((one) => one === text)
    ? valid(text)
    : invalid(`must be one of ${ERROR_CLASSES.join(', ')}`)

/**
 * The ids of the deliveries that fit, as a query with the one column `id`, in no order. What is open or ended badly has
 * small tables of its own, so the history is looked at only for what was delivered, or for everything: then by partner
 * or from its newest end.
 */
export const matching = (filter: AnyFilter): RawBuilder<{ id: bigint }> => {
  const tables = tablesOf(filter)
  if (tables === null) return sql`SELECT d.id FROM deliveries d WHERE ${fits(filter)}`
  const few = sql.join(
    tables.map((table) => small(filter, table)),
    sql` UNION ALL `,
  )
  if (saysAll(filter)) return sql`SELECT few.delivery_id AS id FROM (${few}) few`
  // OFFSET 0 keeps the planner from reading the history in order of its ids until enough of the few have turned up.
  return sql`
    SELECT few.delivery_id AS id FROM (${few}) few
    CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE id = few.delivery_id OFFSET 0) d WHERE ${fits(filter)}
  `
}

/** Whether a row of `deliveries`, as `d`, fits. */
export const fits = (filter: AnyFilter): RawBuilder<unknown> => {
  const conditions = [
    ...ownerConditions(filter, 'd'),
    filter.createdSince && sql`d.created_at >= ${filter.createdSince}`,
    filter.createdUntil && sql`d.created_at < ${filter.createdUntil}`,
    filter.state &&
      filter.state !== 'undelivered' &&
      sql`d.state = ${filter.state === 'held' ? 'pending' : filter.state}`,
    filter.errorClass && sql`${lastErrorClass} = ${filter.errorClass}`,
  ].filter((condition) => condition !== null && condition !== false && condition !== '')
  return sql.join(conditions, sql` AND `)
}

/** Whether the small table alone tells what fits: every duty is of a delivery that is pending. */
export const saysAll = ({ state, errorClass, createdSince, createdUntil }: AnyFilter): boolean =>
  (state === 'pending' || state === 'held') &&
  errorClass === null &&
  createdSince === null &&
  createdUntil === null

/** Why the last attempt of `d` that has ended failed; kept beside a dead delivery for longer than its attempts. */
const lastErrorClass = sql`
  coalesce(
    (SELECT error_class FROM dead_letters WHERE delivery_id = d.id),
    (
      SELECT error_class FROM attempts
      WHERE delivery_id = d.id AND started_at >= date_trunc('milliseconds', d.created_at) AND finished_at IS NOT NULL
      ORDER BY number DESC LIMIT 1
    )
  )
`

/** A small table, and what its rows are to be. */
export type SmallTable = { name: 'to_deliver' | 'dead_letters'; are: RawBuilder<unknown> | null }

const DUTIES: SmallTable = { name: 'to_deliver', are: null }
const DEAD_LETTERS: SmallTable = { name: 'dead_letters', are: null }

/** The small tables that hold all that can fit; null where only the history does. */
export const tablesOf = (filter: Pick<AnyFilter, 'state' | 'errorClass'>): SmallTable[] | null => {
  switch (filter.state) {
    case 'pending':
      return [{ ...DUTIES, are: sql`held_at IS NULL` }]
    case 'held':
      return [{ ...DUTIES, are: sql`held_at IS NOT NULL` }]
    case 'dead':
    case 'cancelled':
      return [DEAD_LETTERS]
    case 'undelivered':
      return [DUTIES, DEAD_LETTERS]
    case 'delivered':
      // What was delivered ended without an error.
      return filter.errorClass === null ? null : [{ ...DUTIES, are: sql`false` }]
    case null:
      // An error has only what is open or ended badly.
      return filter.errorClass === null ? null : [DUTIES, DEAD_LETTERS]
    default:
      return filter.state satisfies never
  }
}

const small = (filter: AnyFilter, { name, are }: SmallTable): RawBuilder<unknown> => {
  const conditions = [...ownerConditions(filter, name), are].filter((condition) => condition !== null)
  return sql`SELECT delivery_id FROM ${sql.table(name)} WHERE ${sql.join(conditions, sql` AND `)}`
}

/** The condition on a column that names partners: one of them, or all with their real or their test payments. */
export const ownedBy = (
  { partnerId, isTest }: Pick<DeliveryFilter, 'partnerId' | 'isTest'>,
  column: RawBuilder<unknown>,
): RawBuilder<unknown> => {
  if (partnerId !== null) return isOfPartner(partnerId, column)
  return isTest ? sql`${column} < 0` : sql`${column} > 0`
}

const ownerConditions = (filter: AnyFilter, table: string): (RawBuilder<unknown> | null)[] => [
  ownedBy(filter, sql.ref(`${table}.partner_id`)),
  filter.host === null ? null : sql`${sql.ref(`${table}.host`)} = ${filter.host}`,
]
