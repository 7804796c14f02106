import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

const TABLES = ['to_submit', 'to_query', 'to_confirm', 'to_interpret', 'to_deliver']

/**
 * Makes so many duties in each table, due within the last day, and deletes them in the same transaction, so that nobody
 * takes one. They lie in no order: each that is read is a block of its own. Resolves when Postgres counts them.
 */
export const leaveDeadDuties = async (database: Database, count: number): Promise<void> => {
  const numbers = sql`FROM generate_series(1, ${count}::integer) AS number ORDER BY random()`
  const dueAt = sql`now() - number * interval '1 day' / ${count}::integer`
  await database.transaction().execute(async (transaction) => {
    for (const table of TABLES.slice(0, 3))
      await sql`INSERT INTO ${sql.table(table)} (payment_id, due_at) SELECT -number, ${dueAt} ${numbers}`.execute(
        transaction,
      )
    await sql`
      INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, publish_at)
      SELECT -number, 1, 'shop.co.ke', ${dueAt}, ${dueAt} ${numbers}
    `.execute(transaction)
    await sql`
      INSERT INTO to_interpret (callback_id, received_at)
      SELECT (lpad(to_hex(1700000000000 + number), 12, '0') || '70008000000000000000')::uuid, now() ${numbers}
    `.execute(transaction)
    for (const table of TABLES) await sql`DELETE FROM ${sql.table(table)}`.execute(transaction)
    await sql`SELECT pg_stat_force_next_flush()`.execute(transaction)
  })
}
