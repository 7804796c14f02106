import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOfPartner } from '../../database/expressions.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Msisdn } from '../../values/msisdn.ts'
import type { Receipt } from '../../values/receipt.ts'
import type { Reference } from '../../values/reference.ts'
import { idsWithDuties, isTesting, type Owner, type PaymentRow, paymentColumns } from './find.ts'
import { findIdBounds, type IdBounds } from './id-bounds.ts'

/** What payments are looked for, all of it at once; null: whatever it is. */
export type PaymentFilter = {
  state: PaymentStateName | null
  reference: Reference | null
  msisdn: Msisdn | null
  receipt: Receipt | null
  /** Of the idempotency key that it was requested with. */
  keyHash: Buffer | null
  /** From this instant on. */
  createdFrom: Date | null
  /** Before this instant. */
  createdTo: Date | null
  /** Only those with an outcome that their partner has not got: to be delivered, held, dead or cancelled. */
  undeliveredOnly: boolean
}

export const NO_FILTER: PaymentFilter = {
  state: null,
  reference: null,
  msisdn: null,
  receipt: null,
  keyHash: null,
  createdFrom: null,
  createdTo: null,
  undeliveredOnly: false,
}

type Page = { owner: Owner; filter: PaymentFilter; limit: number; before: bigint | null }

/**
 * At most `limit` payments that fit the filter, with an id below `before` (null: the newest), newest first. A keyset
 * page: it costs the same however far back it is, and nothing is skipped or shown twice while new payments come in. Raw
 * SQL: the statement says which index leads to the payments, for the planner would read them in order until enough have
 * turned up, which is the whole history where they are few or none.
 */
export const listPayments = async (database: Database, page: Page): Promise<PaymentRow[]> => {
  const few = fewOf(page)
  if (few !== null) return (await listOfFew(page, few).execute(database)).rows
  const range = await boundsOf(database, page)
  const { rows } = await listInOrder(page, range).execute(database)
  return rows.filter(({ id }) => id >= range.from)
}

/** Above every id. */
const NO_ID_YET = 2n ** 63n - 1n

type Range = { from: bigint; below: bigint }

const boundsOf = async (database: Database, { filter, before }: Page): Promise<Range> => {
  const { from, below }: IdBounds = await findIdBounds(database, filter)
  const [one, other] = [below ?? NO_ID_YET, before ?? NO_ID_YET]
  return { from: from ?? 0n, below: one < other ? one : other }
}

/** Payments in the order of the index that has them next to each other. */
const listInOrder = (page: Page, range: Range): RawBuilder<PaymentRow> => {
  const { owner, filter, limit } = page
  const index = indexOf(filter)
  if (owner === 'anybody' && index === null) return listOfAll(page, range)
  const ofPartner = (partnerId: RawBuilder<unknown>) =>
    index === null ? listOfPartner(page, { range, partnerId }) : byIndex({ index, range, limit, partnerId })
  return typeof owner === 'string'
    ? listOfEachPartner(ofPartner(idOfEach(owner)), limit)
    : ofPartner(sql`${owner.partnerId}::bigint`)
}

/** Everybody's real ones, which nearly all are. */
const listOfAll = ({ owner, filter, limit }: Page, range: Range): RawBuilder<PaymentRow> => sql`
  SELECT ${paymentColumns} FROM payments
  WHERE payments.id >= ${range.from} AND payments.id < ${range.below} AND ${ownedBy(owner)} AND ${fits(filter)}
  ORDER BY payments.id DESC LIMIT ${limit}
`

/**
 * One partner's, by the index on (partner_id, id): compared with and ordered by both, and `partner_id` not by `=`, else
 * the index on the id alone would do for that order. Such a scan does not end at `from`: whatever is below it counts as
 * found, so that the page is full a few rows later, and is dropped from it.
 */
const listOfPartner = (
  { filter, limit }: Page,
  { range, partnerId }: { range: Range; partnerId: RawBuilder<unknown> },
): RawBuilder<PaymentRow> => sql`
  SELECT ${paymentColumns} FROM payments
  WHERE payments.partner_id >= ${partnerId} AND (payments.partner_id, payments.id) < (${partnerId}, ${range.below})
    AND (payments.id < ${range.from} OR ${fits(filter)})
  ORDER BY payments.partner_id DESC, payments.id DESC LIMIT ${limit}
`

/**
 * An index of a partner's payments: the column before the partner and the id, the value that is looked for there, and
 * what else they are to fit.
 */
type Index = { column: RawBuilder<unknown>; value: string; rest: RawBuilder<unknown> }

/** A payer has fewer payments than a reference may have. */
const indexOf = (filter: PaymentFilter): Index | null => {
  const { msisdn, reference } = filter
  if (msisdn !== null) {
    const rest: PaymentFilter = { ...filter, msisdn: null }
    return { column: MSISDN, value: msisdn, rest: fits(rest) }
  }
  if (reference === null) return null
  const rest: PaymentFilter = { ...filter, reference: null }
  return { column: REFERENCE, value: reference, rest: fits(rest) }
}

/** The indexes are in the order of bytes. */
const MSISDN = sql`payments.msisdn COLLATE "C"`
const REFERENCE = sql`payments.reference COLLATE "C"`

/**
 * One partner's, by an index that ends in the negative id: no other has that order, so whatever Postgres believes of
 * the values, what it would read otherwise it would have to sort.
 */
const byIndex = ({
  index,
  range,
  limit,
  partnerId,
}: {
  index: Index
  range: Range
  limit: number
  partnerId: RawBuilder<unknown>
}): RawBuilder<PaymentRow> =>
  sql`
    SELECT ${paymentColumns} FROM payments
    WHERE payments.partner_id = ${partnerId} AND ${index.column} = ${index.value}
      AND (-payments.id) <= ${-range.from} AND (-payments.id) > ${-range.below} AND ${index.rest}
    ORDER BY (-payments.id) LIMIT ${limit}
  `

/** What each partner has, for only within a partner they are in order: it costs more with more partners, not with history. */
const listOfEachPartner = (ofPartner: RawBuilder<PaymentRow>, limit: number): RawBuilder<PaymentRow> => sql`
  SELECT ${paymentColumns} FROM partners CROSS JOIN LATERAL (${ofPartner}) payments
  ORDER BY payments.id DESC LIMIT ${limit}
`

/** Payments of which the ids are found first: OFFSET 0 keeps the planner from another order. */
const listOfFew = (
  { owner, filter, limit, before }: Page,
  few: RawBuilder<unknown>,
): RawBuilder<PaymentRow> => sql`
  WITH few AS MATERIALIZED (SELECT DISTINCT payment_id FROM (${few}) found WHERE payment_id < ${before ?? NO_ID_YET})
  SELECT ${paymentColumns}
  FROM (SELECT payment_id FROM few ORDER BY payment_id DESC) newest
  CROSS JOIN LATERAL (
    SELECT ${paymentColumns} FROM payments
    WHERE id = newest.payment_id AND ${ownedBy(owner)} AND ${fits(filter)} OFFSET 0
  ) payments
  ORDER BY newest.payment_id DESC LIMIT ${limit}
`

/** The ids of the few payments that a filter leads to, whatever else it says; null where it leads to none in particular. */
const fewOf = ({ owner, filter }: Page): RawBuilder<unknown> | null => {
  const sources = [
    filter.receipt !== null && sql`SELECT payment_id FROM receipts WHERE receipt = ${filter.receipt}`,
    filter.keyHash !== null && ofKey(owner, filter.keyHash),
    filter.undeliveredOnly && undelivered(owner),
    isOpenState(filter.state) && sql`SELECT id AS payment_id FROM (${idsWithDuties(isTesting(owner))}) open`,
  ].filter((source) => source !== false)
  return sources.length === 0 ? null : sql.join(sources, sql` INTERSECT `)
}

/** Few are in these, however many there were. */
const isOpenState = (state: PaymentStateName | null): boolean =>
  state !== null && state !== 'successful' && state !== 'failed'

const ofKey = (owner: Owner, keyHash: Buffer): RawBuilder<unknown> => {
  const held = (partnerId: RawBuilder<unknown>) =>
    sql`SELECT payment_id FROM idempotency_keys WHERE partner_id = ${partnerId} AND key_hash = ${keyHash}`
  return typeof owner === 'string'
    ? sql`SELECT payment_id FROM partners CROSS JOIN LATERAL (${held(idOfEach(owner))} OFFSET 0) held`
    : held(sql`${owner.partnerId}`)
}

/** All of these are in small tables of their own, so what it costs grows with what is missed, not with history. */
const undelivered = (owner: Owner): RawBuilder<unknown> => sql`
  SELECT payment_id FROM (
    SELECT delivery_id FROM to_deliver WHERE ${ownedBy(owner)}
    UNION ALL SELECT delivery_id FROM dead_letters WHERE ${ownedBy(owner)}
  ) waiting
  CROSS JOIN LATERAL (SELECT payment_id FROM deliveries WHERE id = waiting.delivery_id OFFSET 0) outcomes
`

/** Whose rows are meant, where they say `partner_id`. */
const ownedBy = (owner: Owner): RawBuilder<unknown> => {
  if (typeof owner !== 'string') return isOfPartner(owner.partnerId, sql`partner_id`)
  return owner === 'anybody' ? sql`partner_id > 0` : sql`partner_id < 0`
}

/** The id under which each of `partners` has the payments that are meant. */
const idOfEach = (owner: Extract<Owner, string>): RawBuilder<unknown> =>
  owner === 'anybody' ? sql`partners.id` : sql`-partners.id`

/** Whether a payment fits the filter, but for what leads to few. */
const fits = ({ state, reference, msisdn, createdFrom, createdTo }: PaymentFilter): RawBuilder<unknown> => {
  const conditions = [
    state !== null && sql`payments.state = ${state}`,
    reference !== null && sql`${REFERENCE} = ${reference}`,
    msisdn !== null && sql`${MSISDN} = ${msisdn}`,
    createdFrom !== null && sql`payments.created_at >= ${createdFrom}`,
    createdTo !== null && sql`payments.created_at < ${createdTo}`,
  ].filter((condition) => condition !== false)
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `)
}
