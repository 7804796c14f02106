import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { eventually } from '../support/eventually.ts'

/** Holds up every request with an idempotency key inside its commit, until `release`. */
export const lockIdempotencyKeys = async (
  database: Database,
): Promise<{ release(): Promise<void>; untilSomebodyWaits(): Promise<void> }> => {
  const locked = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const holding = database.transaction().execute(async (transaction) => {
    await sql`LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE`.execute(transaction)
    locked.resolve()
    await gate.promise
  })
  await Promise.race([locked.promise, holding])
  return {
    release: () => {
      gate.resolve()
      return holding
    },
    untilSomebodyWaits: () =>
      eventually(async () => {
        const { rows } = await sql`
          SELECT FROM pg_locks WHERE relation = 'idempotency_keys'::regclass AND NOT granted
        `.execute(database)
        expect(rows.length).toBeGreaterThan(0)
      }),
  }
}
