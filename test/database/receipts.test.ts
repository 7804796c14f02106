import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { migrateBack, migrateToLatest } from '../../src/database/migrate.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

describe('the receipts', () => {
  let own: TestDatabase
  let ours: Database
  let older: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    const options = { databaseUrl: own.url, poolSize: 2, log: quietLog }
    ours = connectDatabase(options)
    // A process of the release before does not say that it enters receipts by itself.
    older = connectDatabase({ ...options, settings: { 'mpesa_gateway.enters_receipts': '' } })
  })
  afterAll(async () => {
    await ours.destroy()
    await older.destroy()
    await own.drop()
  })

  const addPayment = async (receipt: string | null = null): Promise<bigint> => {
    const { rows } = await sql<{ id: bigint }>`
      INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url, receipt)
      VALUES (1, 150, 'submitted', now(), '254712345678', 'https://shop.example.com/paid', ${receipt}) RETURNING id
    `.execute(ours)
    return rows[0]?.id ?? 0n
  }

  const settleIn = (database: Database, id: bigint, receipt: string | null) =>
    database.updateTable('payments').set({ state: 'successful', receipt }).where('id', '=', id).execute()

  const holderOf = async (receipt: string) => {
    const row = await ours
      .selectFrom('receipts')
      .select('payment_id')
      .where('receipt', '=', receipt)
      .executeTakeFirst()
    return row?.payment_id ?? null
  }

  it('of payments of before are entered by the migration: of two with one receipt the elder has it', async () => {
    await migrateBack({ databaseUrl: own.url, log: quietLog, to: '012-limits' })
    const elder = await addPayment('UE4BEFORE1')
    await addPayment('UE4BEFORE1')
    const long = await addPayment('UE4BEFORE2')
    await sql`UPDATE payments SET created_at = now() - interval '1 year' WHERE id = ${long}`.execute(ours)
    await migrateToLatest({ databaseUrl: own.url, log: quietLog })
    expect(await holderOf('UE4BEFORE1')).toBe(elder)
    expect(await holderOf('UE4BEFORE2')).toBe(long)
  })

  it('that a process of the release before settles with are entered too; the first stays', async () => {
    const [first, second, failed] = [await addPayment(), await addPayment(), await addPayment()]
    await settleIn(older, first, 'UE4OLDER01')
    await settleIn(older, second, 'UE4OLDER01')
    await settleIn(older, failed, null)
    expect(await holderOf('UE4OLDER01')).toBe(first)
  })

  it('are not entered a second time for a process that does it by itself', async () => {
    await settleIn(ours, await addPayment(), 'UE4OURS001')
    expect(await holderOf('UE4OURS001')).toBeNull()
  })
})
