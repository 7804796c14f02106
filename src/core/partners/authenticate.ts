import { sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { Database } from '../../database/connect.ts'
import { asOne } from '../../runtime/as-one.ts'
import type { WrongSecrets } from '../../runtime/count-wrong-secrets.ts'
import {
  type CallingPartner,
  currentAccountId,
  SETTINGS_COLUMNS,
  toCallingPartner,
} from './calling-partner.ts'
import { hashSecret, isTestKey } from './secret.ts'
import { createSecretCheck, MAX_REMEMBERED, REMEMBERED_MS, type Unproven } from './secret-check.ts'

/** Whose key was refused, and the part of it that is shown. */
type KeyHolder = { keyPrefix: string; partnerId: bigint }

/** What a partner's API key turned out to be. */
export type KeyCheck =
  | { kind: 'partner'; keyId: bigint; keyPrefix: string; partner: CallingPartner }
  | ({ kind: 'revoked' | 'expired' | 'disabled' } & KeyHolder)
  | Unproven

/** Looks at a partner's API key; rejects when the database is away and the key is not remembered. */
export type CheckKey = (apiKey: string, address: string) => Promise<KeyCheck>

/** What the database says of a key. `expiresAtMs` is on the monotonic clock. */
type KnownKey =
  | { kind: 'partner'; keyId: bigint; keyPrefix: string; partner: CallingPartner; expiresAtMs: number }
  | ({ kind: 'revoked' | 'disabled' } & KeyHolder)

type Parts = {
  database: Database
  wrongSecrets: WrongSecrets
  /** A monotonic time, ms. */
  nowMs: () => number
}

/**
 * Makes the check of API keys. One that expires is refused at that very moment, one that is revoked within five
 * seconds.
 */
export const createKeyCheck = (parts: Parts): CheckKey => {
  const check = createSecretCheck<KnownKey>({
    wrongSecrets: parts.wrongSecrets,
    nowMs: parts.nowMs,
    prefixes: ['mpg_', 'mpg_test_'],
    lookUp: (apiKey) => lookUpKey(parts, apiKey),
    isGood: (answer) => answer.kind === 'partner',
  })
  return async (apiKey, address) => {
    const known = await check(apiKey, address)
    if (known.kind !== 'partner' || known.expiresAtMs > parts.nowMs()) return known
    return { kind: 'expired', keyPrefix: known.keyPrefix, partnerId: known.partner.partnerId }
  }
}

const lookUpKey = async (parts: Parts, apiKey: string): Promise<KnownKey | null> => {
  const row = await parts.database
    .selectFrom('api_keys')
    .innerJoin('partners', 'partners.id', 'api_keys.partner_id')
    .select([
      'api_keys.id as key_id',
      'api_keys.display_prefix',
      'partners.id',
      'partners.disabled_at',
      'api_keys.revoked_at',
    ])
    .select([...SETTINGS_COLUMNS, currentAccountId])
    .select(sql<number | null>`(extract(epoch FROM expires_at - now()) * 1000)::float8`.as('expires_in_ms'))
    .where('api_keys.key_hash', '=', hashSecret(apiKey))
    .executeTakeFirst()
  if (!row) return null
  const holder = { keyPrefix: row.display_prefix, partnerId: row.id }
  if (row.revoked_at !== null) return { kind: 'revoked', ...holder }
  if (row.disabled_at !== null) return { kind: 'disabled', ...holder }
  return {
    kind: 'partner',
    keyId: row.key_id,
    keyPrefix: row.display_prefix,
    partner: toCallingPartner(row, { isTest: isTestKey(apiKey) }),
    expiresAtMs: parts.nowMs() + (row.expires_in_ms ?? Number.POSITIVE_INFINITY),
  }
}

/** What a partner's id turned out to be. */
export type PartnerCheck = { kind: 'partner'; partner: CallingPartner } | { kind: 'unknown' | 'disabled' }

/** Looks at the partner that a service asks in the name of. */
export type CheckPartner = (partnerId: bigint) => Promise<PartnerCheck>

/** Makes the check of partners' ids; an answer is remembered for as long as that about a key. */
export const createPartnerCheck = (parts: { database: Database; nowMs: () => number }): CheckPartner => {
  const remembered = new LRUCache<bigint, PartnerCheck>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: asOne,
    ttl: REMEMBERED_MS,
    perf: { now: parts.nowMs },
    ignoreFetchAbort: true,
    fetchMethod: (partnerId) => lookUpPartner(parts.database, partnerId),
  })
  return (partnerId) => remembered.forceFetch(partnerId)
}

const lookUpPartner = async (database: Database, partnerId: bigint): Promise<PartnerCheck> => {
  const row = await database
    .selectFrom('partners')
    .select(['id', 'disabled_at', ...SETTINGS_COLUMNS, currentAccountId])
    .where('id', '=', partnerId)
    .executeTakeFirst()
  if (!row) return { kind: 'unknown' }
  return row.disabled_at === null
    ? { kind: 'partner', partner: toCallingPartner(row, { isTest: false }) }
    : { kind: 'disabled' }
}
