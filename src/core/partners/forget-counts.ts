import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'

/** How often, ms. */
const EVERY_MS = 600_000

/** Forgets what limits no longer count: payers' numbers an hour after they were last asked, days after a week. */
export const startForgettingCounts = (options: { database: Database; log: Log }): Loop =>
  startLoop({
    name: 'forget_counts',
    idleMs: EVERY_MS,
    round: async () => {
      await forgetCounts(options.database)
      return false
    },
    isOutage,
    log: options.log,
  })

/** Rows that are in use just now are left for the next time. */
export const forgetCounts = async (database: Database): Promise<void> => {
  await sql`
    DELETE FROM payer_prompts USING (
      SELECT partner_id, msisdn FROM payer_prompts WHERE touched_at < now() - interval '1 hour'
      FOR UPDATE SKIP LOCKED
    ) old
    WHERE payer_prompts.partner_id = old.partner_id AND payer_prompts.msisdn = old.msisdn
  `.execute(database)
  await sql`DELETE FROM partner_days WHERE day < current_date - 7`.execute(database)
}
