import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Database } from '../../database/connect.ts'
import { identityOfSigningSecret } from '../../database/sealed-columns.ts'
import type { Log } from '../../runtime/log.ts'
import { CannotOpen, type Vault } from '../../runtime/seal.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import type { Claim } from './attempts.ts'

/** What is signed of an attempt: its start to the second, as `webhook-timestamp` has it. */
export type ToSign = Pick<Claim, 'partner_id' | 'webhook_id' | 'started_at' | 'body'>

/** The signature of an attempt, or why there is none. */
export type Signed =
  /** `webhook-signature`: one `v1,…` for each secret that signs now, the newest first. */
  | { kind: 'signed'; signature: string }
  /** The partner never had a secret. */
  | { kind: 'unsigned' }
  /** Its secret cannot be opened: nothing may be sent, for the partner would take it for forged. */
  | { kind: 'impossible' }

/** Signs an attempt. Rejects only when Postgres was away for as long as the dispatcher waits. */
export type Sign = (attempt: ToSign) => Promise<Signed>

/** A partner's secrets, opened; null when one of them cannot be. */
type Secrets = { signers: { key: KeyObject; expiresAt: Date | null }[] | null }

/** For how long secrets are remembered, ms: a new one signs within this. */
const REMEMBERED_MS = 5_000

/** Partners whose secrets are remembered at once. */
const MAX_REMEMBERED = 10_000

/** What stands before the base64 of a secret's bytes, as its partner was shown it. */
const SECRET_PREFIX = 'whsec_'

/**
 * Makes the signer of Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`. By node:crypto: measured, the
 * package, whose SHA-256 is JavaScript, takes five times as long, which was a twelfth of what a delivery costs its
 * dispatcher. `nowMs` is a monotonic time, ms.
 */
export const createSigner = (options: {
  database: Database
  vault: Vault
  retryUntilStopped: RetryUntilStopped
  nowMs: () => number
  log: Log
}): Sign => {
  const remembered = new LRUCache<bigint, Secrets>({
    max: MAX_REMEMBERED,
    ttl: REMEMBERED_MS,
    perf: { now: options.nowMs },
    fetchMethod: async (partnerId) => ({ signers: await readSigners(options, partnerId) }),
  })
  return async (attempt) => {
    const secrets = await remembered.fetch(attempt.partner_id)
    if (!secrets?.signers) return { kind: 'impossible' }
    return signWith(secrets.signers, attempt)
  }
}

const signWith = (signers: NonNullable<Secrets['signers']>, attempt: ToSign): Signed => {
  if (signers.length === 0) return { kind: 'unsigned' }
  const signatures = signers
    .filter(({ expiresAt }) => expiresAt === null || expiresAt > attempt.started_at)
    .map(({ key }) => signatureOf(key, attempt))
  return signatures.length === 0
    ? { kind: 'impossible' }
    : { kind: 'signed', signature: signatures.join(' ') }
}

const signatureOf = (key: KeyObject, { webhook_id, started_at, body }: ToSign): string => {
  const seconds = Math.floor(started_at.getTime() / 1000)
  return `v1,${createHmac('sha256', key).update(`${webhook_id}.${seconds}.${body}`).digest('base64')}`
}

const readSigners = async (
  options: { database: Database; vault: Vault; retryUntilStopped: RetryUntilStopped; log: Log },
  partnerId: bigint,
): Promise<Secrets['signers']> => {
  const rows = await options.retryUntilStopped(() =>
    options.database
      .selectFrom('signing_secrets')
      .select(['id', 'partner_id', 'secret_sealed', 'expires_at'])
      .where('partner_id', '=', partnerId)
      .orderBy('id', 'desc')
      .execute(),
  )
  try {
    return rows.map((row) => ({
      key: toKey(options.vault.open(row.secret_sealed, identityOfSigningSecret(row))),
      expiresAt: row.expires_at,
    }))
  } catch (error) {
    if (!(error instanceof CannotOpen)) throw error
    options.log.error({
      event: 'signing_secret_unreadable',
      partner_id: Number(partnerId),
      reason: error.message,
    })
    return null
  }
}

const toKey = (secret: string): KeyObject =>
  createSecretKey(Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64'))
