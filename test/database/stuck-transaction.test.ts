import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

describe('a process that stands still in a transaction', () => {
  let own: TestDatabase
  let stuck: Database
  let other: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    const options = { databaseUrl: own.url, poolSize: 1, log: quietLog }
    stuck = connectDatabase({ ...options, settings: { idle_in_transaction_session_timeout: '300ms' } })
    other = connectDatabase(options)
  })
  afterAll(async () => {
    await stuck.destroy()
    await other.destroy()
    await own.drop()
  })

  it('loses its locks to those that wait, and takes it for an outage', async () => {
    await sql`INSERT INTO daraja_accounts (shortcode) VALUES ('600000')`.execute(other)
    const lock = sql`SELECT FROM daraja_accounts FOR UPDATE`
    const undone = stuck.transaction().execute(async (transaction) => {
      await lock.execute(transaction)
      // Waits for the lock that this transaction holds: only its end lets it go on.
      await lock.execute(other)
      await lock.execute(transaction)
    })
    const error: unknown = await undone.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    expect(isOutage(error)).toBe(true)
  })

  it('is not waited for longer than ten seconds by default', async () => {
    const { rows } = await sql`SHOW idle_in_transaction_session_timeout`.execute(other)
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: '10s' }])
  })
})
