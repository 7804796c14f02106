import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { findFailedIds } from './failed.ts'
import { idsWithDuties, isTesting, type Owner, type PaymentRow, paymentColumns } from './find.ts'
import { findIdBounds, type IdBounds } from './id-bounds.ts'
import { findEnd, isByIndex, isOfEachPartner, type Range, readInOrder } from './list-in-order.ts'
import { fits, idOfEach, NO_ID_YET, ownedBy, type Page } from './payment-filter.ts'

/**
 * At most `limit` payments that fit the filter, with an id below `before` (null: the newest), newest first. A keyset
 * page: it costs the same however far back it is, and nothing is skipped or shown twice while new payments come in. Raw
 * SQL: the statement says which index leads to the payments, for the planner would read them in order until enough have
 * turned up, which is the whole history where they are few or none. So it is still where hardly any are successful.
 */
export const listPayments = async (database: Database, page: Page): Promise<PaymentRow[]> =>
  (await listByIds(database, page)) ??
  (await readInOrder(database, page, { range: await boundsOf(database, page), most: null }))

/**
 * Payments that one look comes past at most: of everybody's, which lie side by side; of one partner's, each of which may
 * be on a page of its own; and of each partner's where all are asked one by one.
 */
const MOST_LOOKED_AT = { everybodys: 100_000, ofPartner: 5_000, ofEach: 1_000 }

/**
 * The same page by one look, which comes past so many payments at most, the newest first: it costs no more where hardly any
 * fits. `lookedTo`: the id below which was not looked, though fewer than `limit` were found; null: these are all there
 * are, or the page is full. The transaction sees one state of the database.
 */
export const lookForPayments = async (
  transaction: Transaction<Schema>,
  page: Page & { most?: number },
): Promise<{ payments: PaymentRow[]; lookedTo: bigint | null }> => {
  const known = await listByIds(transaction, page)
  if (known !== null) return { payments: known, lookedTo: null }
  const range = await boundsOf(transaction, page)
  const most = page.most ?? mostOf(page)
  const found = await readInOrder(transaction, page, { range, most })
  if (found.length === page.limit && !isOfEachPartner(page)) return { payments: found, lookedTo: null }
  const end = await findEnd(transaction, page, { range, most })
  if (end === null || end <= range.from) return { payments: found, lookedTo: null }
  const payments = found.filter(({ id }) => id >= end)
  return { payments, lookedTo: payments.length === page.limit ? null : end }
}

const mostOf = (page: Page): number => {
  if (isOfEachPartner(page)) return MOST_LOOKED_AT.ofEach
  return page.owner === 'anybody' ? MOST_LOOKED_AT.everybodys : MOST_LOOKED_AT.ofPartner
}

const boundsOf = async (database: Database, { filter, before }: Page): Promise<Range> => {
  const { from, below }: IdBounds = await findIdBounds(database, filter)
  const [one, other] = [below ?? NO_ID_YET, before ?? NO_ID_YET]
  return { from: from ?? 0n, below: one < other ? one : other }
}

/** Payments of which the ids are found by an index, whatever else is asked of them; null where there is none for it. */
const listByIds = async (database: Database, page: Page): Promise<PaymentRow[] | null> => {
  const few = fewOf(page)
  if (few !== null) return (await listOfFew(page, few).execute(database)).rows
  return page.filter.state === 'failed' && !isByIndex(page.filter) ? listFailed(database, page) : null
}

/** A success may have come after the failure: such a payment is passed over, and what comes next is asked for. */
const listFailed = async (database: Database, page: Page): Promise<PaymentRow[]> => {
  const { owner, limit } = page
  const { from, below: first } = await boundsOf(database, page)
  const found: PaymentRow[] = []
  for (let below = first; ; ) {
    const ids = await findFailedIds(database, { owner, from, below, limit })
    const few = sql`SELECT unnest(${ids}::bigint[]) AS payment_id`
    found.push(...(await listOfFew(page, few).execute(database)).rows)
    const last = ids.at(-1)
    if (found.length >= limit || ids.length < limit || last === undefined) return found.slice(0, limit)
    below = last
  }
}

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
