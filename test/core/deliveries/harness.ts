import { sql } from 'kysely'
import type { Actor } from '../../../src/core/audit/record-audit.ts'
import type { DeliveryFilter } from '../../../src/core/deliveries/filter.ts'
import type { Database } from '../../../src/database/connect.ts'

export const AMINA: Actor = { kind: 'operator', name: 'amina', from: 'desk-1' }

export const EVERYTHING: DeliveryFilter = {
  partnerId: null,
  isTest: false,
  host: null,
  state: null,
  errorClass: null,
  createdSince: null,
  createdUntil: null,
}

/** Leaves nothing of the tests before. */
export const clear = (database: Database) =>
  sql`TRUNCATE deliveries, to_deliver, attempts, dead_letters, endpoints, audit`.execute(database)

/** Writes down an attempt that has ended, as if a dispatcher had made it: `number` is the next unless given. */
export const attempted = async (
  database: Database,
  id: bigint,
  result: { status?: number; errorClass?: string; answer?: string },
): Promise<void> => {
  await sql`
    WITH counted AS (UPDATE deliveries SET attempts = attempts + 1 WHERE id = ${id} RETURNING attempts)
    INSERT INTO attempts (delivery_id, number, started_at, finished_at, duration_ms, status, error_class, address, answer)
    SELECT ${id}, attempts, clock_timestamp(), clock_timestamp(), 12, ${result.status ?? null}::integer,
           ${result.errorClass ?? null}::text, '203.0.113.9', ${result.answer ?? null}::text
    FROM counted
  `.execute(database)
}

/** Ends a delivery as a dispatcher does. */
export const end = async (database: Database, id: bigint, state: 'delivered' | 'dead'): Promise<void> => {
  await sql`
    WITH ended AS (
      UPDATE deliveries
      SET state = ${state}::delivery_state, next_attempt_at = NULL, ended_at = now(),
          dead_reason = ${state === 'dead' ? 'attempt 1 was the last and failed' : null}::text
      WHERE id = ${id} RETURNING *
    ), done AS (
      DELETE FROM to_deliver WHERE delivery_id = ${id}
    )
    INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
    SELECT id, partner_id, host, 'status', dead_reason FROM ended WHERE dead_reason IS NOT NULL
  `.execute(database)
}

/** Puts off what waits by an hour, as after a failed attempt. */
export const putOff = (database: Database, id: bigint) =>
  sql`
    WITH later AS (
      UPDATE deliveries SET next_attempt_at = now() + interval '1 hour' WHERE id = ${id} RETURNING next_attempt_at
    )
    UPDATE to_deliver SET due_at = next_attempt_at, publish_at = next_attempt_at FROM later WHERE delivery_id = ${id}
  `.execute(database)

/** As if a dispatcher had just claimed it. */
export const lease = (database: Database, id: bigint) =>
  sql`UPDATE to_deliver SET leased_until = now() + interval '1 minute' WHERE delivery_id = ${id}`.execute(
    database,
  )

/** As if its endpoint were down. */
export const hold = (database: Database, id: bigint) =>
  sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ${id}`.execute(database)
