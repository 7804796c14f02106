import { sql } from 'kysely'
import type { CallbackTokens } from '../../src/core/callback/token.ts'
import type { Database } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'

/** Makes payments whose payers have the prompt, with the duty to query each; returns their callback tokens, each with its nonce. */
export const openPayments = async (
  database: Database,
  tokens: CallbackTokens,
  count: number,
): Promise<string[]> => {
  await ensurePartitions(database)
  const { rows } = await sql<{ id: bigint; nonce: string }>`
    WITH added AS (
      INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url, reference, callback_nonce)
      SELECT 1, 150, 'submitted', now(), '254712345678', 'https://yourapp.example.com/payment_callback', 'INV-2025-001',
             right(replace(gen_random_uuid()::text, '-', ''), 16)
      FROM generate_series(1, ${count})
      RETURNING id, callback_nonce AS nonce
    ), duties AS (
      INSERT INTO to_query (payment_id, due_at) SELECT id, now() + interval '1 day' FROM added
    )
    SELECT id, nonce FROM added
  `.execute(database)
  return rows.map(({ id, nonce }) => `${tokens.issue(id)}?nonce=${nonce}`)
}

/** How many payments have their delivery, and how many callbacks still wait to be interpreted. */
export const countDeliveries = async (database: Database): Promise<{ settled: number; waiting: number }> => {
  const { rows } = await sql<{ settled: number; waiting: number }>`
    SELECT (SELECT count(*) FROM deliveries)::float8 AS settled, (SELECT count(*) FROM to_interpret)::float8 AS waiting
  `.execute(database)
  return rows[0] ?? { settled: 0, waiting: 0 }
}
