import { sql, type Transaction } from 'kysely'
import type { Database } from './connect.ts'
import { PLANNED_BY_SIZE } from './plan-settings.ts'
import type { Schema } from './schema/schema.ts'

/**
 * Runs `read` in a transaction that only reads, and whose statements are planned by size: for what looks through many
 * rows, or through as many as its filter says. On a connection of a process that plans by index it changes nothing
 * else.
 */
export const planBySize = <Result>(
  database: Database,
  read: (transaction: Transaction<Schema>) => Promise<Result>,
): Promise<Result> =>
  database
    .transaction()
    .setAccessMode('read only')
    .execute(async (transaction) => {
      const settings = Object.entries(PLANNED_BY_SIZE).map(
        ([name, value]) => sql`set_config(${name}, ${value}, true)`,
      )
      await sql`SELECT ${sql.join(settings)}`.execute(transaction)
      return await read(transaction)
    })
