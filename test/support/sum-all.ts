import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { sumTotals } from '../../src/core/totals/sum-totals.ts'
import type { Database } from '../../src/database/connect.ts'

/** How long that may take on a loaded machine, ms. */
const PATIENCE_MS = 40_000

/**
 * Sums what was paid until all of it is summed that was committed before this call. It waits without vitest, for
 * `npm run test:faults` sums too.
 */
export const sumAll = async (database: Database): Promise<void> => {
  const now = sql<{ is_summed: boolean }>`
    SELECT coalesce(summed_to >= ${await readClock(database)} AND filled_to >= fill_end, false) AS is_summed
    FROM totals_summed
  `
  const untilMs = performance.now() + PATIENCE_MS
  for (;;) {
    await sumTotals(database)
    const { rows } = await now.execute(database)
    if (rows[0]?.is_summed === true) return
    if (performance.now() > untilMs) throw new Error('not all is summed yet')
    await pause(10)
  }
}

const readClock = async (database: Database): Promise<Date> => {
  const { rows } = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(database)
  return rows[0]?.now ?? new Date(0)
}

/** What is summed, and what the payments themselves say, by day, partner and account. */
export const readBothTotals = async (database: Database): Promise<{ summed: unknown[]; paid: unknown[] }> => {
  const { rows: summed } = await sql`
    SELECT day::text, partner_id, account_id, payments, amount_kes FROM daily_totals WHERE payments <> 0 OR amount_kes <> 0
    ORDER BY 1, 2, 3
  `.execute(database)
  const { rows: paid } = await sql`
    SELECT (transaction_date AT TIME ZONE 'Africa/Nairobi')::date::text AS day, partner_id, account_id,
           count(*) AS payments, sum(amount_kes)::bigint AS amount_kes
    FROM payments WHERE state = 'successful' AND partner_id > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  `.execute(database)
  return { summed, paid }
}
