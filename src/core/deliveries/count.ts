import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { findIdBounds } from '../payments/id-bounds.ts'
import { type DeliveryFilter, fits, ownedBy, type SmallTable, saysAll, tablesOf } from './filter.ts'
import { NO_ID_YET, newestOfHistory } from './look.ts'

/** How many fit; `isMore`: of those that were looked at, and there are others, of which more may fit. */
export type Counted = { found: number; isMore: boolean }

/** One row for each delivery that was looked at, with the column `fitting`: null where it does not fit. */
type Looked = RawBuilder<unknown>

/**
 * How many deliveries fit, of the newest `most` that are open or ended badly, or of the history where only that holds what
 * can fit. They are counted before what they are is asked: where hardly any fits it costs no more.
 */
export const countDeliveries = (database: Database, filter: DeliveryFilter, most: number): Promise<Counted> =>
  planByIndex(database, async (transaction) => {
    const range = await findRange(transaction, filter)
    const tables = tablesOf(filter)
    const reach = { ...range, most: most + 1 }
    const looked = tables === null ? inHistory(filter, reach) : inTables(filter, tables, reach)
    const { rows } = await sql<{ looked: number; found: number }>`
      SELECT count(*)::int AS looked, count(fitting)::int AS found FROM (${looked}) looked
    `.execute(transaction)
    const [{ looked: passed, found } = { looked: 0, found: 0 }] = rows
    return { found: Math.min(found, most), isMore: passed > most }
  })

type Range = { from: bigint; below: bigint }
type Reach = Range & { most: number }

const findRange = async (transaction: Transaction<Schema>, filter: DeliveryFilter): Promise<Range> => {
  const time = { createdFrom: filter.createdSince, createdTo: filter.createdUntil }
  const { from, below } = await findIdBounds(transaction, time, 'deliveries')
  return { from: from ?? 0n, below: below ?? NO_ID_YET }
}

const inHistory = (filter: DeliveryFilter, reach: Reach): Looked => {
  const newest = newestOfHistory(sql`id, partner_id, host, state, created_at`, filter.partnerId, reach)
  return sql`SELECT CASE WHEN ${fits(filter)} THEN 1 END AS fitting FROM (${newest}) d`
}

/** Whatever the small table says alone is not looked up; what cannot fit by that neither. */
const inTables = (filter: DeliveryFilter, tables: readonly SmallTable[], reach: Reach): Looked => {
  const each = tables.map((table) => newestOf(filter, table, reach))
  const newest = sql`SELECT id, may FROM (${sql.join(each, sql` UNION ALL `)}) every ORDER BY id DESC LIMIT ${reach.most}`
  if (saysAll(filter)) return sql`SELECT CASE WHEN may THEN 1 END AS fitting FROM (${newest}) few`
  return sql`
    SELECT d.fitting FROM (${newest}) few
    LEFT JOIN LATERAL (
      SELECT 1 AS fitting FROM deliveries d WHERE id = few.id AND few.may AND ${fits(filter)} OFFSET 0
    ) d ON true
  `
}

/**
 * The newest of a small table, of everybody or of a partner, whatever else they are: `may` says whether one can fit by
 * what the table alone tells. A partner's are compared with and ordered by as in `newestOfHistory`.
 */
const newestOf = (filter: DeliveryFilter, { name, are }: SmallTable, reach: Reach): RawBuilder<unknown> => {
  const { partnerId, host } = filter
  const { from, below, most } = reach
  const owned = ownedBy(filter, sql`partner_id`)
  const may = sql`${owned} AND ${host === null ? sql`true` : sql`host = ${host}`} AND ${are ?? sql`true`}`
  return partnerId === null
    ? sql`(
        SELECT delivery_id AS id, ${may} AS may FROM ${sql.table(name)}
        WHERE delivery_id >= ${from} AND delivery_id < ${below} ORDER BY delivery_id DESC LIMIT ${most}
      )`
    : sql`(
        SELECT delivery_id AS id, ${may} AS may FROM ${sql.table(name)}
        WHERE partner_id <> 0 AND (partner_id, delivery_id) >= (${partnerId}, ${from})
          AND (partner_id, delivery_id) < (${partnerId}, ${below})
        ORDER BY partner_id DESC, delivery_id DESC LIMIT ${most}
      )`
}
