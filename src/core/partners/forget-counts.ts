import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { mayBePrompted } from '../../database/expressions.ts'
import { forgetOldGuesses } from '../../database/forget-guesses.ts'
import { isOutage } from '../../database/outage.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'

/** How often, ms. */
const EVERY_MS = 600_000

/**
 * Forgets what limits no longer count: payers' numbers an hour after they were last asked, once none of these payments
 * may prompt them any more; days after a week; and who guessed at passwords a day after they last did.
 */
export const startForgettingCounts = (options: { database: Database; log: Log }): Loop =>
  startLoop({
    name: 'forget_counts',
    idleMs: EVERY_MS,
    round: async () => {
      await forgetCounts(options.database)
      await forgetOldGuesses(options.database)
      return false
    },
    isOutage,
    log: options.log,
  })

/** The payments of a row of `payer_prompts` that are open, each looked up by its id. */
const OPEN = sql`
  SELECT FROM jsonb_to_recordset(payer_prompts.recent) AS asked (id bigint)
  CROSS JOIN LATERAL (SELECT FROM payments WHERE payments.id = asked.id AND ${mayBePrompted} OFFSET 0) open
`

/** Rows that are in use just now are left for the next time. */
export const forgetCounts = async (database: Database): Promise<void> => {
  await database
    .deleteFrom('payer_prompts')
    .using((eb) =>
      eb
        .selectFrom('payer_prompts')
        .select(['partner_id', 'msisdn'])
        .where('touched_at', '<', sql<Date>`now() - interval '1 hour'`)
        .where(sql<boolean>`NOT EXISTS (${OPEN})`)
        .forUpdate()
        .skipLocked()
        .as('old'),
    )
    .whereRef('payer_prompts.partner_id', '=', 'old.partner_id')
    .whereRef('payer_prompts.msisdn', '=', 'old.msisdn')
    .execute()
  await database.deleteFrom('partner_days').where('day', '<', sql<Date>`current_date - 7`).execute()
}
