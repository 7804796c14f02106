import { sql, type Transaction } from 'kysely'
import type { Schema } from './schema/schema.ts'

const LOCK = sql`hashtext('mpesa-gateway statements')`

/** Whether this is the only import, until the transaction ends: two that overlap would wait for each other's lines. */
export const isAloneImporting = async (transaction: Transaction<Schema>): Promise<boolean> => {
  const { rows } = await sql<{ is_alone: boolean }>`
    SELECT pg_try_advisory_xact_lock(${LOCK}) AS is_alone
  `.execute(transaction)
  return rows[0]?.is_alone === true
}

/** Whether no statement is being imported, and none is until the transaction ends. Any number may hold it so. */
export const holdImportsOff = async (transaction: Transaction<Schema>): Promise<boolean> => {
  const { rows } = await sql<{ is_held: boolean }>`
    SELECT pg_try_advisory_xact_lock_shared(${LOCK}) AS is_held
  `.execute(transaction)
  return rows[0]?.is_held === true
}
