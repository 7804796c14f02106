import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { findIdBounds } from '../payments/id-bounds.ts'
import { type DeliveryFilter, fits, ownedBy, type SmallTable, saysAll, tablesOf } from './filter.ts'
import { NO_ID_YET, ofHistory } from './look.ts'

// Counting and changing all that fit come past so many deliveries in a statement, and ask of each what it is: where hardly
// any fits, they cost no more than where all do.

/** Which are looked at: from `from` on and below `below`, `most` of them from one end of the range. */
export type Reach = { from: bigint; below: bigint; most: number; first: 'newest' | 'oldest' }

/** The ids between which all deliveries of the filter's time are. */
export const findRange = async (
  transaction: Transaction<Schema>,
  filter: DeliveryFilter,
): Promise<Pick<Reach, 'from' | 'below'>> => {
  const time = { createdFrom: filter.createdSince, createdTo: filter.createdUntil }
  const { from, below } = await findIdBounds(transaction, time, 'deliveries')
  return { from: from ?? 0n, below: below ?? NO_ID_YET }
}

/**
 * A query with a row for each delivery that is looked at: its `id`, and `fitting`, null where it does not fit. Of those
 * that are open or ended badly, or of the history where only that holds what can fit.
 */
export const lookedAt = (filter: DeliveryFilter, reach: Reach): RawBuilder<unknown> => {
  const tables = tablesOf(filter)
  return tables === null ? inHistory(filter, reach) : inTables(filter, tables, reach)
}

const inHistory = (filter: DeliveryFilter, reach: Reach): RawBuilder<unknown> => {
  const passed = ofHistory(sql`id, partner_id, host, state, created_at`, filter.partnerId, reach)
  return sql`SELECT id, CASE WHEN ${fits(filter)} THEN 1 END AS fitting FROM (${passed}) d`
}

/** Whatever the small table says alone is not looked up; what cannot fit by that neither. */
const inTables = (
  filter: DeliveryFilter,
  tables: readonly SmallTable[],
  reach: Reach,
): RawBuilder<unknown> => {
  const each = tables.map((table) => ofTable(filter, table, reach))
  const passed = sql`
    SELECT id, may FROM (${sql.join(each, sql` UNION ALL `)}) every ORDER BY id ${wayOf(reach)} LIMIT ${reach.most}
  `
  if (saysAll(filter)) return sql`SELECT id, CASE WHEN may THEN 1 END AS fitting FROM (${passed}) few`
  return sql`
    SELECT few.id, d.fitting FROM (${passed}) few
    LEFT JOIN LATERAL (
      SELECT 1 AS fitting FROM deliveries d WHERE id = few.id AND few.may AND ${fits(filter)} OFFSET 0
    ) d ON true
  `
}

/**
 * Those of a small table, of everybody or of a partner, whatever else they are: `may` says whether one can fit by what the
 * table alone tells. A partner's are compared with and ordered by as in `ofHistory`.
 */
const ofTable = (filter: DeliveryFilter, { name, are }: SmallTable, reach: Reach): RawBuilder<unknown> => {
  const { partnerId, host } = filter
  const { from, below, most } = reach
  const owned = ownedBy(filter, sql`partner_id`)
  const may = sql`${owned} AND ${host === null ? sql`true` : sql`host = ${host}`} AND ${are ?? sql`true`}`
  return partnerId === null
    ? sql`(
        SELECT delivery_id AS id, ${may} AS may FROM ${sql.table(name)}
        WHERE delivery_id >= ${from} AND delivery_id < ${below} ORDER BY delivery_id ${wayOf(reach)} LIMIT ${most}
      )`
    : sql`(
        SELECT delivery_id AS id, ${may} AS may FROM ${sql.table(name)}
        WHERE partner_id <> 0 AND (partner_id, delivery_id) >= (${partnerId}, ${from})
          AND (partner_id, delivery_id) < (${partnerId}, ${below})
        ORDER BY partner_id ${wayOf(reach)}, delivery_id ${wayOf(reach)} LIMIT ${most}
      )`
}

const wayOf = ({ first }: Reach): RawBuilder<unknown> => (first === 'newest' ? sql`DESC` : sql`ASC`)
