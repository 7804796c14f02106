import { type RawBuilder, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrateBack, migrateToLatest } from '../../src/database/migrate.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

/** Rows that are written together, and change together: more than fit on one page. */
const TOGETHER = 200

let own: OpenDatabase

beforeAll(async () => {
  own = await openTestDatabase({ poolSize: 1 })
})
afterAll(() => own.close())

/** Adds rows, changes all of them, and counts those that stayed on their page. */
const countKept = async (
  table: 'payments' | 'deliveries',
  { insert, change }: { insert: RawBuilder<unknown>; change: RawBuilder<unknown> },
): Promise<number> => {
  await insert.execute(own.database)
  const readPages = async () => {
    const { rows } = await sql<{ id: bigint; page: string }>`
      SELECT id, (ctid::text::point)[0]::text AS page FROM ${sql.table(table)}
    `.execute(own.database)
    return new Map(rows.map(({ id, page }) => [id, page]))
  }
  const before = await readPages()
  await sql`UPDATE ${sql.table(table)} SET ${change}`.execute(own.database)
  return [...(await readPages())].filter(([id, page]) => before.get(id) === page).length
}

describe('room on the pages', () => {
  it('lets payments and deliveries that move together stay where they are, so that no index is written', async () => {
    const payments = await countKept('payments', {
      insert: sql`
        INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, reference, callback_url, callback_nonce)
        SELECT 1, 150, 'accepted', now(), '254712345678', 'INV-' || number, 'https://shop.example.com/outcomes', 'a1b2c3d4e5f60718'
        FROM generate_series(1, ${sql.lit(TOGETHER)}) AS given (number)
      `,
      change: sql`state = 'submitting'`,
    })
    const deliveries = await countKept('deliveries', {
      insert: sql`
        INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
        SELECT number, 1, 'msg_' || number, 'https://shop.example.com/outcomes', 'shop.example.com', repeat('x', 330)
        FROM generate_series(1, ${sql.lit(TOGETHER)}) AS given (number)
      `,
      change: sql`attempts = 1`,
    })
    expect({ payments, deliveries }).toEqual({ payments: TOGETHER, deliveries: TOGETHER })
  })

  it('comes to the partitions that are there when a database is migrated, and goes the way back', async () => {
    const readFilled = async () => {
      const { rows } = await sql<{ filled: string[] }>`
        SELECT DISTINCT reloptions AS filled FROM pg_class WHERE relname ~ '^(payments|deliveries)_[0-9]+$'
      `.execute(own.database)
      return rows.map(({ filled }) => filled)
    }
    expect(await readFilled()).toEqual([['fillfactor=50']])
    await migrateBack({ databaseUrl: own.url, log: quietLog, to: '023-duties' })
    expect(await readFilled()).toEqual([['fillfactor=85']])
    await migrateToLatest({ databaseUrl: own.url, log: quietLog })
    expect(await readFilled()).toEqual([['fillfactor=50']])
  })
})
