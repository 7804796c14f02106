import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { fromNow, isNotOver, now } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { identityOfSigningSecret, nextId } from '../../database/sealed-columns.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Vault } from '../../runtime/seal.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { lockPartner } from './lock-partner.ts'

/** A signing secret as operators see it: never the secret itself. */
export type SigningSecret = {
  id: bigint
  createdAt: Date
  /** When it signs no more; null: it is the current one. */
  expiresAt: Date | null
}

/** What came of a rotation. */
export type Rotation =
  | { kind: 'rotated'; signingSecret: string; previousUntil: Date }
  | { kind: 'no_such_partner' }
  /** So many sign already that the header would grow without end. */
  | { kind: 'too_many' }

/** The Standard Webhooks specification asks for 24 to 64 random bytes. */
const SECRET_BYTES = 32

/** Secrets of one partner that sign at the same time. */
export const MAX_SIGNING = 5

/** The longest overlap, ms: a secret that was replaced should not live much longer. */
export const MAX_OVERLAP_MS = 30 * 24 * 3_600_000

/** The overlap unless another is asked for, ms. */
export const DEFAULT_OVERLAP_MS = 24 * 3_600_000

type Making = { vault: Vault; partnerId: bigint; randomBytes: (count: number) => Buffer }

/**
 * Gives a partner its current signing secret, in the caller's transaction. It is returned this once and kept sealed.
 */
export const addSigningSecret = async (transaction: Transaction<Schema>, options: Making): Promise<string> =>
  (await insertSecret(transaction, options)).secret

const insertSecret = async (
  transaction: Transaction<Schema>,
  options: Making,
): Promise<{ id: bigint; secret: string }> => {
  const secret = `whsec_${options.randomBytes(SECRET_BYTES).toString('base64')}`
  const row = { id: await nextId(transaction, 'signing_secrets'), partner_id: options.partnerId }
  const sealed = { ...row, secret_sealed: options.vault.seal(secret, identityOfSigningSecret(row)) }
  await transaction.insertInto('signing_secrets').values(sealed).execute()
  return { id: row.id, secret }
}

/**
 * Gives a partner a new signing secret; those it had sign beside it for `overlapMs` more at most, then are forgotten. 0
 * ends them at once. A partner that had none gets its first.
 */
export const rotateSigningSecret = async (
  options: Making & { database: Database; overlapMs: number; actor: Actor },
): Promise<Rotation> => {
  const rotation = await options.database.transaction().execute(async (transaction): Promise<Rotation> => {
    const signing = await lockAndCount(transaction, options.partnerId)
    if (signing === null) return { kind: 'no_such_partner' }
    if (signing >= MAX_SIGNING && options.overlapMs > 0) return { kind: 'too_many' }
    const previousUntil = await endPrevious(transaction, options)
    const { id, secret } = await insertSecret(transaction, options)
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'rotated',
      subject: { kind: 'signing_secret', id },
      partnerId: options.partnerId,
      before: { signing },
      after: { previous_until: previousUntil },
    })
    crashPoint('rotate_signing_secret.before_commit')
    return { kind: 'rotated', signingSecret: secret, previousUntil }
  })
  crashPoint('rotate_signing_secret.after_commit')
  return rotation
}

/**
 * How many secrets of the partner sign, its row locked so that two rotations come one after the other; null: no
 * partner.
 */
const lockAndCount = async (transaction: Transaction<Schema>, partnerId: bigint): Promise<number | null> => {
  if (!(await lockPartner(transaction, partnerId))) return null
  const { signing } = await transaction
    .selectFrom('signing_secrets')
    .select(({ fn }) => fn.countAll().as('signing'))
    .where('partner_id', '=', partnerId)
    .where(isNotOver('signing_secrets.expires_at'))
    .executeTakeFirstOrThrow()
  return Number(signing)
}

/** Those before sign for a while still, or no more; resolves with until when. */
const endPrevious = async (
  transaction: Transaction<Schema>,
  options: { partnerId: bigint; overlapMs: number },
): Promise<Date> => {
  const until = fromNow(options.overlapMs)
  await transaction
    .updateTable('signing_secrets')
    .set({ expires_at: sql<Date>`least(expires_at, ${until})` })
    .where('partner_id', '=', options.partnerId)
    .execute()
  await transaction
    .deleteFrom('signing_secrets')
    .where('partner_id', '=', options.partnerId)
    .where('expires_at', '<=', now)
    .execute()
  return (await transaction.selectNoFrom(until.as('until')).executeTakeFirstOrThrow()).until
}

/** The signing secrets of a partner that sign now, newest first. */
export const listSigningSecrets = async (database: Database, partnerId: bigint): Promise<SigningSecret[]> => {
  const rows = await database
    .selectFrom('signing_secrets')
    .select(['id', 'created_at', 'expires_at'])
    .where('partner_id', '=', partnerId)
    .where(isNotOver('signing_secrets.expires_at'))
    .orderBy('id', 'desc')
    .execute()
  return rows.map((row) => ({ id: row.id, createdAt: row.created_at, expiresAt: row.expires_at }))
}
