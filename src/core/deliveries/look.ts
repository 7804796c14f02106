import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { findIdBounds } from '../payments/id-bounds.ts'
import { type DeliveryFilter, fits, ownedBy, type SmallTable, tablesOf } from './filter.ts'

// A list is read by looks. A look comes past so many deliveries at most, the newest first, and says how far it came: where
// hardly any delivery fits, as to a host that none has, it costs no more than where all do, however long the history is.

/**
 * Deliveries that one look comes past at most: of everybody's, which lie side by side; of one partner's, each of which may
 * be on a page of its own; and of those in small tables, each of which is looked up.
 */
const MOST_LOOKED_AT = { everybodys: 50_000, ofPartner: 5_000, small: 10_000 }

/** Above every id. */
export const NO_ID_YET = 2n ** 63n - 1n

/** What is looked for: at most `limit` with ids below `before` (null: the newest). */
export type Sought = {
  filter: DeliveryFilter
  limit: number
  before: bigint | null
  /** Instead of `MOST_LOOKED_AT`. */
  most?: number
}

/** The newest that fit; `lookedTo`: the id below which was not looked, though fewer than `limit` were found. */
export type Looked = { ids: bigint[]; lookedTo: bigint | null }

/** Looks once. The transaction sees one state of the database: what is found is held against how far the look came. */
export const lookForDeliveries = async (
  transaction: Transaction<Schema>,
  { filter, limit, before, most }: Sought,
): Promise<Looked> => {
  const time = { createdFrom: filter.createdSince, createdTo: filter.createdUntil }
  const bounds = await findIdBounds(transaction, time, 'deliveries')
  const [from, below] = [bounds.from ?? 0n, least(bounds.below, before)]
  const tables = tablesOf(filter)
  const passed =
    tables === null
      ? inHistory(filter, {
          below,
          most: most ?? MOST_LOOKED_AT[filter.partnerId === null ? 'everybodys' : 'ofPartner'],
        })
      : inTables(filter, tables, { below, most: most ?? MOST_LOOKED_AT.small })
  const ids = await findFitting(transaction, passed, { filter, from, limit })
  if (ids.length === limit) return { ids, lookedTo: null }
  const end = await findEnd(transaction, passed)
  return { ids, lookedTo: end !== null && end > from ? end : null }
}

const least = (one: bigint | null, other: bigint | null): bigint =>
  [one, other, NO_ID_YET].reduce<bigint>((least, id) => (id !== null && id < least ? id : least), NO_ID_YET)

/**
 * What a look comes past: the newest `most`, as a query of `id`, and the deliveries themselves, as a part of a FROM, in
 * the order in which it reads them.
 */
type Passed = {
  newest: RawBuilder<unknown>
  deliveries: RawBuilder<unknown>
  order: RawBuilder<unknown>
  most: number
}

type Reach = { below: bigint; most: number }

/**
 * Columns of so many of all the history, by its key; or of one partner's, by the index on (partner_id, id): compared with and
 * ordered by both, and `partner_id` not by `=`, else the index on the id alone would do for that order.
 */
export const ofHistory = (
  columns: RawBuilder<unknown>,
  partnerId: bigint | null,
  { from, below, most, first }: Reach & { from: bigint; first: 'newest' | 'oldest' },
): RawBuilder<unknown> => {
  const way = first === 'newest' ? sql`DESC` : sql`ASC`
  return partnerId === null
    ? sql`SELECT ${columns} FROM deliveries WHERE id >= ${from} AND id < ${below} ORDER BY id ${way} LIMIT ${most}`
    : sql`
        SELECT ${columns} FROM deliveries
        WHERE (partner_id, id) >= (${partnerId}, ${from}) AND (partner_id, id) < (${partnerId}, ${below})
        ORDER BY partner_id ${way}, id ${way} LIMIT ${most}
      `
}

const inHistory = (filter: DeliveryFilter, { below, most }: Reach): Passed => {
  const { partnerId } = filter
  const newest = (columns: RawBuilder<unknown>): RawBuilder<unknown> =>
    ofHistory(columns, partnerId, { from: 0n, below, most, first: 'newest' })
  const deliveries = sql`(${newest(sql`id, partner_id, host, state, created_at`)}) d`
  const order = partnerId === null ? sql`d.id DESC` : sql`d.partner_id DESC, d.id DESC`
  return { newest: newest(sql`id`), deliveries, order, most }
}

/** Those of small tables; OFFSET 0 keeps the planner from reading the history until enough of these have turned up. */
const inTables = (filter: DeliveryFilter, tables: readonly SmallTable[], { below, most }: Reach): Passed => {
  const each = tables.map(
    ({ name, are }) => sql`(
      SELECT delivery_id AS id, host FROM ${sql.table(name)}
      WHERE ${ownedBy(filter, sql`partner_id`)} AND delivery_id < ${below} AND ${are ?? sql`true`}
      ORDER BY delivery_id DESC LIMIT ${most}
    )`,
  )
  const newest = sql`SELECT id, host FROM (${sql.join(each, sql` UNION ALL `)}) every ORDER BY id DESC LIMIT ${most}`
  const deliveries = sql`
    (${newest}) few CROSS JOIN LATERAL (
      SELECT id, partner_id, host, state, created_at FROM deliveries
      WHERE id = few.id AND ${filter.host === null ? sql`true` : sql`few.host = ${filter.host}`} OFFSET 0
    ) d
  `
  return { newest, deliveries, order: sql`few.id DESC`, most }
}

/**
 * A partner's list does not end at `from`: whatever is below it counts as found, so that the page is full a few rows
 * later, and is dropped from it.
 */
const findFitting = async (
  transaction: Transaction<Schema>,
  { deliveries, order }: Passed,
  { filter, from, limit }: { filter: DeliveryFilter; from: bigint; limit: number },
): Promise<bigint[]> => {
  const { rows } = await sql<RowOf<'deliveries', 'id'>>`
    SELECT d.id FROM ${deliveries} WHERE d.id < ${from} OR (${fits(filter)}) ORDER BY ${order} LIMIT ${limit}
  `.execute(transaction)
  return rows.map(({ id }) => id).filter((id) => id >= from)
}

/** The oldest that a look came past; null where it came to the end of all. */
const findEnd = async (
  transaction: Transaction<Schema>,
  { newest, most }: Passed,
): Promise<bigint | null> => {
  const { rows } = await sql<RowOf<'deliveries', 'id'>>`
    SELECT id FROM (${newest}) newest ORDER BY id DESC OFFSET ${most - 1} LIMIT 1
  `.execute(transaction)
  return rows[0]?.id ?? null
}
