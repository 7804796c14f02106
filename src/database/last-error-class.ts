import { sql } from 'kysely'

/**
 * To be joined to `ended`, deliveries with their `id` and `created_at`, by whoever writes a dead letter: the class of error of
 * the last attempt that finished, as `last.error_class`; null without one. The time bounds the months that are looked into.
 */
export const joinLastErrorClass = sql`
  LEFT JOIN LATERAL (
    SELECT error_class FROM attempts
    WHERE delivery_id = ended.id AND started_at >= date_trunc('milliseconds', ended.created_at)
      AND finished_at IS NOT NULL
    ORDER BY number DESC LIMIT 1
  ) last ON true
`
