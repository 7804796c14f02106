import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { runRows } from '../../src/database/run-rows.ts'
import { quietLog } from '../support/quiet-log.ts'

describe('rows that are written together', () => {
  let database: Database
  beforeAll(() => {
    database = connectDatabase({ databaseUrl: inject('databaseUrl'), poolSize: 4, log: quietLog })
  })
  afterAll(() => database.destroy())

  /** Divides by each; the number 13 breaks its connection instead. */
  const divide = async (divisors: readonly number[]): Promise<number[]> => {
    const { rows } = await sql<{ quotient: number }>`
      SELECT CASE divisor WHEN 13 THEN pg_terminate_backend(pg_backend_pid())::integer ELSE 60 / divisor END AS quotient
      FROM unnest(${divisors}::integer[]) WITH ORDINALITY AS given (divisor, position) ORDER BY position
    `.execute(database)
    return rows.map(({ quotient }) => quotient)
  }

  it('fail alone where their own data is at fault, also when there is no other', async () => {
    expect(await runRows([3, 0, 5], divide)).toEqual([20, expect.objectContaining({ code: '22012' }), 12])
    expect(await runRows([0], divide)).toEqual([expect.objectContaining({ code: '22012' })])
  })

  it('are nobody’s fault when an outage comes between: all are to be written again', async () => {
    const failure: unknown = await runRows([0, 13, 5], divide).catch((error: unknown) => error)
    expect(isOutage(failure)).toBe(true)
  })
})
