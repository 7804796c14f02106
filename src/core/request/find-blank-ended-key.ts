import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { type IdempotencyKey, parseBlankEndedKey } from '../../values/idempotency-key.ts'
import type { PartnerId } from '../../values/ids.ts'
import { hashIdempotencyKey } from './payment-request.ts'

/**
 * The key, where it has blanks at its ends and was stored when such keys were taken: its repetition must stay a duplicate.
 * Null for every other text, without a question to the database unless it has blanks there.
 */
export const findBlankEndedKey = async (
  database: Database,
  partnerId: PartnerId,
  text: string | undefined,
): Promise<IdempotencyKey | null> => {
  const key = text === undefined ? null : parseBlankEndedKey(text)
  if (key === null) return null
  const stored = await database
    .selectFrom('idempotency_keys')
    .select('payment_id')
    .where(sql<boolean>`partner_id = ${partnerId}`)
    .where('key_hash', '=', hashIdempotencyKey(key))
    .executeTakeFirst()
  return stored ? key : null
}
