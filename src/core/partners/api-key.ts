import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { fromNow, isNotOver, now } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { lockPartner } from './lock-partner.ts'
import { isTestKey, makeSecret, recordOf } from './secret.ts'

/** A key as operators see it: never the key itself. */
export type ApiKey = {
  keyId: bigint
  partnerId: bigint
  name: string
  displayPrefix: string
  isTest: boolean
  createdAt: Date
  lastUsedAt: Date | null
  expiresAt: Date | null
  revokedAt: Date | null
}

/** A key that was made: shown this once. */
export type MadeKey = { kind: 'made'; keyId: bigint; apiKey: string; expiresAt: Date | null }

/** Why no key was made. */
export type NotMade = { kind: 'no_such_partner' | 'no_such_key' | 'too_many' | 'key_is_over' }

/** Keys of a partner that work at once: enough for every system that it has, and few enough to read. */
export const MAX_WORKING_KEYS = 20

/** The longest overlap of a rotation, ms: a key that was replaced should not live much longer. */
export const MAX_OVERLAP_MS = 30 * 24 * 3_600_000

/** The overlap unless another is asked for, ms. */
export const DEFAULT_OVERLAP_MS = 24 * 3_600_000

/** The longest life that a key may be given, ms; without one it does not expire. */
export const MAX_LIFE_MS = 10 * 366 * 24 * 3_600_000

type RandomBytes = (count: number) => Buffer

/**
 * Gives a partner a key, in the caller's transaction. It is returned this once and kept only as a hash. `expiresAt`:
 * null for one that does not expire.
 */
export const addKey = async (
  transaction: Transaction<Schema>,
  options: {
    partnerId: bigint
    name: string
    expiresAt: Date | RawBuilder<Date> | null
    isTest: boolean
    randomBytes: RandomBytes
  },
): Promise<MadeKey> => {
  const apiKey = makeSecret(options.isTest ? 'mpg_test_' : 'mpg_', options.randomBytes)
  const { hash, displayPrefix } = recordOf(apiKey)
  const row = await transaction
    .insertInto('api_keys')
    .values({
      partner_id: options.partnerId,
      key_hash: hash,
      display_prefix: displayPrefix,
      name: options.name,
      expires_at: options.expiresAt,
    })
    .returning(['id', 'expires_at'])
    .executeTakeFirstOrThrow()
  return { kind: 'made', keyId: row.id, apiKey, expiresAt: row.expires_at }
}

/**
 * Gives a partner one more key, under a name of its own. `lifeMs`: null for one that does not expire. `isTest`: what is
 * asked for with it are test payments.
 */
export const createKey = (options: {
  database: Database
  partnerId: bigint
  name: string
  lifeMs: number | null
  isTest: boolean
  actor: Actor
  randomBytes: RandomBytes
}): Promise<MadeKey | NotMade> =>
  options.database.transaction().execute(async (transaction) => {
    const partner = await lockPartner(transaction, options.partnerId)
    if (!partner) return { kind: 'no_such_partner' }
    if ((await countWorking(transaction, partner.id)) >= MAX_WORKING_KEYS) return { kind: 'too_many' }
    const expiresAt = options.lifeMs === null ? null : fromNow(options.lifeMs)
    const made = await addKey(transaction, {
      partnerId: partner.id,
      name: options.name,
      expiresAt,
      isTest: options.isTest,
      randomBytes: options.randomBytes,
    })
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'created',
      subject: { kind: 'key', id: made.keyId },
      partnerId: partner.id,
      before: null,
      after: { name: options.name, expires_at: made.expiresAt, ...(options.isTest && { test: true }) },
    })
    return made
  })

/** How many keys of the partner work. */
const countWorking = async (transaction: Transaction<Schema>, partnerId: bigint): Promise<number> => {
  const { working } = await transaction
    .selectFrom('api_keys')
    .select(({ fn }) => fn.countAll().as('working'))
    .where('partner_id', '=', partnerId)
    .where('revoked_at', 'is', null)
    .where(isNotOver('api_keys.expires_at'))
    .executeTakeFirstOrThrow()
  return Number(working)
}

/**
 * Replaces a key by a new one of the same name and kind, which expires when the old one would have; that works for `overlapMs`
 * more at most, so that its owner can bring the new one to every place before it ends. 0 ends it at once. While both
 * work, both count.
 */
export const rotateKey = (options: {
  database: Database
  keyId: bigint
  overlapMs: number
  actor: Actor
  randomBytes: RandomBytes
}): Promise<(MadeKey & { previousUntil: Date }) | NotMade> =>
  options.database.transaction().execute(async (transaction) => {
    const key = await lockKey(transaction, options.keyId)
    if (!key) return { kind: 'no_such_key' }
    if (key.is_over) return { kind: 'key_is_over' }
    const working = await countWorking(transaction, key.partner_id)
    if (working >= MAX_WORKING_KEYS && options.overlapMs > 0) return { kind: 'too_many' }
    const ended = await transaction
      .updateTable('api_keys')
      .set({ expires_at: sql<Date>`least(expires_at, ${fromNow(options.overlapMs)})` })
      .where('id', '=', options.keyId)
      .returning('expires_at')
      .executeTakeFirstOrThrow()
    const made = await addKey(transaction, {
      partnerId: key.partner_id,
      name: key.name,
      expiresAt: key.expires_at,
      isTest: isTestKey(key.display_prefix),
      randomBytes: options.randomBytes,
    })
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'rotated',
      subject: { kind: 'key', id: options.keyId },
      partnerId: key.partner_id,
      before: { expires_at: key.expires_at },
      after: { expires_at: ended.expires_at, replaced_by: made.keyId },
    })
    return { ...made, previousUntil: ended.expires_at ?? new Date() }
  })

/**
 * Ends a key for good: it is refused within five seconds everywhere. False when there is none that could still be
 * ended.
 */
export const revokeKey = (options: { database: Database; keyId: bigint; actor: Actor }): Promise<boolean> =>
  options.database.transaction().execute(async (transaction) => {
    const revoked = await transaction
      .updateTable('api_keys')
      .set({ revoked_at: now })
      .where('id', '=', options.keyId)
      .where('revoked_at', 'is', null)
      .returning(['partner_id', 'revoked_at'])
      .executeTakeFirst()
    if (!revoked) return false
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'revoked',
      subject: { kind: 'key', id: options.keyId },
      partnerId: revoked.partner_id,
      before: { revoked_at: null },
      after: { revoked_at: revoked.revoked_at },
    })
    return true
  })

/** The key, locked after its partner, whose row is locked by whoever gives it another key. */
const lockKey = async (transaction: Transaction<Schema>, keyId: bigint) => {
  const owner = await transaction
    .selectFrom('api_keys')
    .select('partner_id')
    .where('id', '=', keyId)
    .executeTakeFirst()
  if (!owner || !(await lockPartner(transaction, owner.partner_id))) return undefined
  return transaction
    .selectFrom('api_keys')
    .select(['partner_id', 'name', 'expires_at', 'display_prefix'])
    .select((eb) =>
      eb.or([eb('revoked_at', 'is not', null), eb.not(isNotOver('api_keys.expires_at'))]).as('is_over'),
    )
    .where('id', '=', keyId)
    .forUpdate()
    .executeTakeFirst()
}

/** A partner's keys, oldest first, those that have ended too; null when there is no such partner. */
export const listKeys = async (database: Database, partnerId: bigint): Promise<ApiKey[] | null> => {
  const partner = await database
    .selectFrom('partners')
    .select('id')
    .where('id', '=', partnerId)
    .executeTakeFirst()
  if (!partner) return null
  const rows = await database
    .selectFrom('api_keys')
    .select(['id', 'partner_id', 'name', 'display_prefix', 'created_at'])
    .select(['last_used_at', 'expires_at', 'revoked_at'])
    .where('partner_id', '=', partner.id)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    keyId: row.id,
    partnerId: row.partner_id,
    name: row.name,
    displayPrefix: row.display_prefix,
    isTest: isTestKey(row.display_prefix),
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }))
}
