import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { type PaymentRow, paymentColumns } from './find.ts'
import {
  fits,
  idOfEach,
  MSISDN,
  ownedBy,
  type Page,
  type PaymentFilter,
  REFERENCE,
} from './payment-filter.ts'

// Payments in the order of the index that has them next to each other, the newest first.

/** Ids from `from` on and below `below`. */
export type Range = { from: bigint; below: bigint }

/** What is read: a range of ids, and no more than `most` payments of it, or of each partner's; null: all that it takes. */
type Reach = { range: Range; most: number | null }

/** At most `limit` payments that fit. */
export const readInOrder = async (database: Database, page: Page, reach: Reach): Promise<PaymentRow[]> => {
  const { limit } = page
  const read = select(page, orderOf(page, reach.range), reach.most)
  const { rows } = await (isOfEachPartner(page) ? ofEachPartner(read, limit) : read).execute(database)
  return rows.filter(({ id }) => id >= reach.range.from)
}

/**
 * The oldest of the `most` newest payments, whether they fit or not; null where there are fewer. Of several partners the
 * newest of these, for what is older was not looked at of each.
 */
export const findEnd = async (
  database: Database,
  page: Page,
  { range, most }: { range: Range; most: number },
): Promise<bigint | null> => {
  const { within, order } = orderOf(page, range)
  const end = sql<{ id: bigint }>`
    SELECT payments.id FROM payments WHERE ${within} ORDER BY ${order} OFFSET ${most - 1} LIMIT 1
  `
  const statement = isOfEachPartner(page)
    ? sql<{ id: bigint }>`
        SELECT ends.id FROM partners CROSS JOIN LATERAL (${end}) ends ORDER BY ends.id DESC LIMIT 1
      `
    : end
  const { rows } = await statement.execute(database)
  return rows[0]?.id ?? null
}

/** Whether partners are asked one by one for what they have, for only within a partner they are in order. */
export const isOfEachPartner = ({ owner, filter }: Page): boolean =>
  owner === 'anybody_testing' || (owner === 'anybody' && isByIndex(filter))

/** Whether an index leads to the payments of one payer, or of one reference. */
export const isByIndex = ({ msisdn, reference }: PaymentFilter): boolean =>
  msisdn !== null || reference !== null

/** How payments are read: which ones, in what order, and what else they are to fit. */
type Order = {
  within: RawBuilder<unknown>
  order: RawBuilder<unknown>
  rest: RawBuilder<unknown>
  /** The same order above a part of a FROM: a column that it is to have for that, and by what it is ordered. */
  above: { column: RawBuilder<unknown>; order: RawBuilder<unknown> }
}

const orderOf = (page: Page, range: Range): Order => {
  const { owner, filter } = page
  const partnerId = typeof owner === 'string' ? idOfEach(owner) : sql`${owner.partnerId}::bigint`
  if (isByIndex(filter)) return byIndex(filter, range, partnerId)
  return owner === 'anybody' ? everybodys(filter, range) : ofPartner(filter, range, partnerId)
}

/** Everybody's real ones, which nearly all are. */
const everybodys = (filter: PaymentFilter, { from, below }: Range): Order => {
  const order = sql`payments.id DESC`
  return {
    within: sql`payments.id >= ${from} AND payments.id < ${below}`,
    order,
    rest: sql`${ownedBy('anybody')} AND ${fits(filter)}`,
    above: { column: sql``, order },
  }
}

/**
 * One partner's, by the index on (partner_id, id): compared with and ordered by both, and `partner_id` not by `=`, else
 * the index on the id alone would do for that order. Such a scan does not end at `from`: whatever is below it counts as
 * found, so that the page is full a few rows later, and is dropped from it.
 */
const ofPartner = (filter: PaymentFilter, { from, below }: Range, partnerId: RawBuilder<unknown>): Order => {
  const order = sql`payments.partner_id DESC, payments.id DESC`
  return {
    within: sql`payments.partner_id >= ${partnerId} AND (payments.partner_id, payments.id) < (${partnerId}, ${below})`,
    order,
    rest: sql`(payments.id < ${from} OR ${fits(filter)})`,
    above: { column: sql``, order },
  }
}

/**
 * One partner's, by an index that ends in the negative id: no other has that order, so whatever Postgres believes of
 * the values, what it would read otherwise it would have to sort. A payer has fewer payments than a reference may have.
 */
const byIndex = (filter: PaymentFilter, { from, below }: Range, partnerId: RawBuilder<unknown>): Order => {
  const { msisdn, reference } = filter
  const named =
    msisdn === null
      ? { column: REFERENCE, value: reference, rest: { ...filter, reference: null } }
      : { column: MSISDN, value: msisdn, rest: { ...filter, msisdn: null } }
  return {
    within: sql`
      payments.partner_id = ${partnerId} AND ${named.column} = ${named.value}
      AND (-payments.id) <= ${-from} AND (-payments.id) > ${-below}
    `,
    order: sql`(-payments.id)`,
    rest: fits(named.rest),
    above: { column: sql`, (-payments.id) AS negative_id`, order: sql`payments.negative_id` },
  }
}

const select = (
  { limit }: Page,
  { within, order, rest, above }: Order,
  most: number | null,
): RawBuilder<PaymentRow> =>
  most === null
    ? sql`SELECT ${paymentColumns} FROM payments WHERE ${within} AND ${rest} ORDER BY ${order} LIMIT ${limit}`
    : sql`
        SELECT ${paymentColumns}
        FROM (
          SELECT ${paymentColumns} ${above.column} FROM payments WHERE ${within} ORDER BY ${order} LIMIT ${most}
        ) payments
        WHERE ${rest} ORDER BY ${above.order} LIMIT ${limit}
      `

/** What each partner has: it costs more with more partners, not with history. */
const ofEachPartner = (read: RawBuilder<PaymentRow>, limit: number): RawBuilder<PaymentRow> => sql`
  SELECT ${paymentColumns} FROM partners CROSS JOIN LATERAL (${read}) payments
  ORDER BY payments.id DESC LIMIT ${limit}
`
