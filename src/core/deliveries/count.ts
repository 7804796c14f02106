import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { DeliveryFilter } from './filter.ts'
import { findRange, lookedAt } from './looked-at.ts'

/** How many fit; `isMore`: of those that were looked at, and there are others, of which more may fit. */
export type Counted = { found: number; isMore: boolean }

/** How many deliveries fit, of the newest `most` that could. */
export const countDeliveries = (database: Database, filter: DeliveryFilter, most: number): Promise<Counted> =>
  planByIndex(database, async (transaction) => {
    const range = await findRange(transaction, filter)
    // One more shows whether there are others.
    const reach = { ...range, most: most + 1, first: 'newest' as const }
    const { rows } = await sql<{ looked: number; found: number }>`
      SELECT count(*)::int AS looked, count(fitting)::int AS found FROM (${lookedAt(filter, reach)}) looked
    `.execute(transaction)
    const [{ looked: passed, found } = { looked: 0, found: 0 }] = rows
    return { found: Math.min(found, most), isMore: passed > most }
  })
