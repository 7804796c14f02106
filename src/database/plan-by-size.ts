import { sql, type Transaction } from 'kysely'
import type { Database } from './connect.ts'
import { PLANNED_BY_INDEX, PLANNED_BY_SIZE } from './plan-settings.ts'
import type { Schema } from './schema/schema.ts'

/**
 * Runs `read` in a transaction that only reads, whose statements all see what was committed when it began, and are
 * planned by size: for what looks through many rows, or through as many as its filter says. On a connection of a process
 * that plans by index it changes nothing else.
 */
export const planBySize = <Result>(
  database: Database,
  read: (transaction: Transaction<Schema>) => Promise<Result>,
): Promise<Result> => planBy(PLANNED_BY_SIZE, database, read)

/** The same with statements that are planned by index: for looks that read few rows, whatever the tables hold. */
export const planByIndex = <Result>(
  database: Database,
  read: (transaction: Transaction<Schema>) => Promise<Result>,
): Promise<Result> => planBy(PLANNED_BY_INDEX, database, read)

/** Has the statements that follow in a transaction planned by index, as those of `serve` are. */
export const planTheRestByIndex = (transaction: Transaction<Schema>): Promise<void> =>
  plan(transaction, PLANNED_BY_INDEX)

const planBy = <Result>(
  settings: Readonly<Record<string, string>>,
  database: Database,
  read: (transaction: Transaction<Schema>) => Promise<Result>,
): Promise<Result> =>
  database
    .transaction()
    .setAccessMode('read only')
    .setIsolationLevel('repeatable read')
    .execute(async (transaction) => {
      await plan(transaction, settings)
      return await read(transaction)
    })

const plan = async (
  transaction: Transaction<Schema>,
  settings: Readonly<Record<string, string>>,
): Promise<void> => {
  const each = Object.entries(settings).map(([name, value]) => sql`set_config(${name}, ${value}, true)`)
  await sql`SELECT ${sql.join(each)}`.execute(transaction)
}
