import type { Database } from '../../database/connect.ts'
import type { PartnerId } from '../../values/ids.ts'
import { hashSecret, isWellFormedSecret } from './secret.ts'

/** What a partner's API key turned out to be. */
export type KeyCheck =
  | { kind: 'partner'; partnerId: PartnerId }
  | { kind: 'unknown' | 'revoked' | 'disabled' }

/** Looks at a partner's API key; rejects when the database is away and the key is not remembered. */
export type CheckKey = (apiKey: string) => Promise<KeyCheck>

/** For how long an answer is remembered, ms: a revoked key is refused within this on every replica. */
const REMEMBERED_MS = 5_000

/** How many answers are remembered at once; then all are forgotten. */
const MAX_REMEMBERED = 10_000

/**
 * Makes the check of API keys. A key with a wrong checksum never reaches the database; an answer is remembered for five
 * seconds, so that the hot path asks once in a while, and the same key asked for at once is looked up once. `nowMs` is a
 * monotonic time in ms.
 */
export const createKeyCheck = (options: { database: Database; nowMs: () => number }): CheckKey => {
  const remembered = new Map<string, { answer: Promise<KeyCheck>; untilMs: number }>()
  return (apiKey) => {
    const known = remembered.get(apiKey)
    if (known && known.untilMs > options.nowMs()) return known.answer
    if (!isWellFormedSecret('mpg_', apiKey)) return Promise.resolve({ kind: 'unknown' })
    const answer = lookUpKey(options.database, apiKey)
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(apiKey, { answer, untilMs: options.nowMs() + REMEMBERED_MS })
    answer.catch(() => remembered.delete(apiKey))
    return answer
  }
}

const lookUpKey = async (database: Database, apiKey: string): Promise<KeyCheck> => {
  const row = await database
    .selectFrom('api_keys')
    .innerJoin('partners', 'partners.id', 'api_keys.partner_id')
    .select(['partners.id', 'partners.disabled_at', 'api_keys.revoked_at'])
    .where('api_keys.key_hash', '=', hashSecret(apiKey))
    .executeTakeFirst()
  if (!row) return { kind: 'unknown' }
  if (row.revoked_at !== null) return { kind: 'revoked' }
  if (row.disabled_at !== null) return { kind: 'disabled' }
  return { kind: 'partner', partnerId: row.id }
}
