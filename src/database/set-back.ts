import { type RawBuilder, sql } from 'kysely'

/** More than any instant that passes through here ever lies ahead, seconds. */
const FAR_AHEAD_SECONDS = 60

/**
 * An instant that is never written more than half a minute ahead, such as the level of a bucket, as it counts now: one that
 * lies further ahead was written before the clock of Postgres was set back, as it is when another server with another clock
 * takes over, and counts as past. Else whoever waits for it would wait for as long as the clock was set back.
 */
export const unlessSetBack = (instant: RawBuilder<unknown>): RawBuilder<Date> => sql<Date>`
  CASE WHEN ${instant} > clock_timestamp() + make_interval(secs => ${FAR_AHEAD_SECONDS}) THEN '-infinity'::timestamptz ELSE ${instant} END
`
