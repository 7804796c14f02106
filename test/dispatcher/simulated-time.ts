import { sql } from 'kysely'
import { expect, vi } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import type { DatabaseClock } from '../support/database-clock.ts'

// Time that passes from one thing to the next: the database's clock stands still, is put forward to the next instant at which
// anything is due, and stays there until all that is due then has been done by a real dispatcher, and written down.

/** How long the dispatcher may take to do what is due at one instant, ms. */
const PATIENCE_MS = 120_000

export type SimulatedTime = {
  /** Goes through all that is due within so many seconds, and `done` is not true of. */
  pass(seconds: number, done?: () => Promise<boolean>): Promise<void>
}

export const startSimulatedTime = (database: Database, clock: DatabaseClock): SimulatedTime => ({
  pass: async (seconds, done = () => Promise.resolve(false)) => {
    let leftSeconds = seconds
    await settled(database)
    while (leftSeconds > 0 && !(await done())) {
      const stepSeconds = Math.min(leftSeconds, (await secondsToNext(database)) ?? leftSeconds)
      await clock.advance(stepSeconds)
      leftSeconds -= stepSeconds
      await settled(database)
    }
  },
})

/** From now to the next instant at which a delivery is due, a probe is, or some of what is held may go; null: never. */
const secondsToNext = async (database: Database): Promise<number | null> => {
  const { rows } = await sql<{ seconds: number | null }>`
    SELECT extract(epoch FROM min(at) - now())::float8 AS seconds FROM (
      SELECT due_at AS at FROM to_deliver WHERE held_at IS NULL
      UNION ALL SELECT open_until FROM endpoints WHERE state = 'open'
      UNION ALL SELECT release_at FROM endpoints WHERE state = 'ramping'
    ) instants WHERE at > now()
  `.execute(database)
  return rows[0]?.seconds ?? null
}

/** Resolves when nothing is left to do at this instant, and what was done is known of its endpoints too. */
const settled = (database: Database): Promise<void> =>
  vi.waitFor(async () => expect(await countUnsettled(database)).toEqual(NOTHING), {
    timeout: PATIENCE_MS,
    interval: 25,
  })

const NOTHING = { due: 0, endpoints: 0, unnoted: 0 }

/**
 * What is due and neither attempted nor held; the endpoints that time has yet to change; the failures of now that their
 * endpoint does not know of: one that has failed five times in a row is open.
 */
const countUnsettled = async (database: Database): Promise<typeof NOTHING | undefined> => {
  const { rows } = await sql<typeof NOTHING>`
    SELECT
      (SELECT count(*) FROM to_deliver WHERE held_at IS NULL AND due_at <= now())::int AS due,
      (
        SELECT count(*) FROM endpoints
        WHERE state = 'half_open' OR state = 'open' AND open_until <= now() OR state = 'ramping' AND release_at <= now()
      )::int AS endpoints,
      (
        SELECT count(*) FROM attempts
        JOIN deliveries ON deliveries.id = attempts.delivery_id
        LEFT JOIN endpoints ON endpoints.partner_id = deliveries.partner_id AND endpoints.host = deliveries.host
        WHERE attempts.started_at = date_trunc('milliseconds', now()) AND attempts.error_class IS NOT NULL
          AND NOT coalesce(endpoints.state <> 'closed' OR number < 5 AND endpoints.failures >= number, false)
      )::int AS unnoted
  `.execute(database)
  return rows[0]
}
