import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

describe('a partition that is missing while a transaction reads its table for long, as pg_dump does', () => {
  let own: OpenDatabase
  let database: Database
  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 4 })
    database = own.database
    await sql`SELECT setval('payments_id_seq', 25000000)`.execute(database)
  })
  afterAll(() => own.close())

  const isThere = async (): Promise<boolean> => {
    const { rows } = await sql<{ is_there: boolean }>`
      SELECT to_regclass('payments_3') IS NOT NULL AS is_there
    `.execute(database)
    return rows[0]?.is_there === true
  }

  const isWaited = async (): Promise<boolean> => {
    const { rows } = await sql`
      SELECT FROM pg_locks WHERE relation = 'payments'::regclass AND NOT granted
    `.execute(database)
    return rows.length > 0
  }

  it('keeps nobody from the table, and is made once that has ended', async () => {
    await database.transaction().execute(async (reader) => {
      await sql`SELECT FROM payments LIMIT 1`.execute(reader)
      let isEnded = false
      const making = ensurePartitions(database).finally(() => {
        isEnded = true
      })
      await eventually(async () => expect(isEnded || (await isWaited())).toBe(true))
      // Behind who waits for the whole table, and as long.
      await sql`SELECT FROM payments LIMIT 1`.execute(database)
      expect(await making).toBe(false)
      expect(await isThere()).toBe(false)
    })
    expect(await ensurePartitions(database)).toBe(true)
    expect(await isThere()).toBe(true)
  })
})
