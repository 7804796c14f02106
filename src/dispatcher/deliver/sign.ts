import { sql } from 'kysely'
import { LRUCache } from 'lru-cache'
import { Webhook } from 'standardwebhooks'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { identityOfSigningSecret } from '../../database/sealed-columns.ts'
import { asOne } from '../../runtime/as-one.ts'
import type { Log } from '../../runtime/log.ts'
import { CannotOpen, type Vault } from '../../runtime/seal.ts'
import { partnerIdOf } from '../../values/test-partner.ts'
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
  /** Its newest secret cannot be opened: nothing may be sent, for the partner would take it for forged. */
  | { kind: 'impossible' }

/** Signs an attempt. Rejects only when Postgres was away for as long as the dispatcher waits. */
export type Sign = (attempt: ToSign) => Promise<Signed>

/** A partner's secrets, as far as they can be opened; null when the newest cannot be. */
type Secrets = { signers: { webhook: Webhook; expiresAt: Date | null }[] | null }

/** For how long secrets are remembered, ms: a new one signs within this. */
const REMEMBERED_MS = 5_000

/** Partners whose secrets are remembered at once. */
const MAX_REMEMBERED = 10_000

/**
 * Makes the signer of Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`. Measured, the package signs a
 * delivery in 19 to 27 microseconds and node:crypto in 5 to 9: 40,000 a second are far more than one process delivers,
 * so the package it is. `nowMs` is a monotonic time, ms.
 */
export const createSigner = (options: {
  database: Database
  vault: Vault
  retryUntilStopped: RetryUntilStopped
  nowMs: () => number
  log: Log
}): Sign => {
  const remembered = new LRUCache<bigint, Secrets>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: asOne,
    ttl: REMEMBERED_MS,
    perf: { now: options.nowMs },
    fetchMethod: async (partnerId) => ({ signers: await readSigners(options, partnerId) }),
  })
  return async (attempt) => {
    // Outcomes of test payments are signed as real ones are, with the same secret.
    const secrets = await remembered.fetch(partnerIdOf(attempt.partner_id))
    if (!secrets?.signers) return { kind: 'impossible' }
    return signWith(secrets.signers, attempt)
  }
}

/** Makes the signer of one sender whose secrets are known and all sign, the newest first. */
export const createSignerWith = (secrets: readonly string[]): Sign => {
  const signers = secrets.map((secret) => ({ webhook: new Webhook(secret), expiresAt: null }))
  return (attempt) => Promise.resolve(signWith(signers, attempt))
}

const signWith = (signers: NonNullable<Secrets['signers']>, attempt: ToSign): Signed => {
  if (signers.length === 0) return { kind: 'unsigned' }
  const signatures = signers
    .filter(({ expiresAt }) => expiresAt === null || expiresAt > attempt.started_at)
    .map(({ webhook }) => webhook.sign(attempt.webhook_id, attempt.started_at, attempt.body))
  return signatures.length === 0
    ? { kind: 'impossible' }
    : { kind: 'signed', signature: signatures.join(' ') }
}

const readSigners = async (
  options: { database: Database; vault: Vault; retryUntilStopped: RetryUntilStopped; log: Log },
  partnerId: bigint,
): Promise<Secrets['signers']> => {
  const rows = await options.retryUntilStopped(() =>
    options.database
      .selectFrom('signing_secrets')
      .select(['id', 'partner_id', 'secret_sealed', 'expires_at'])
      .select(sql<boolean>`coalesce(expires_at <= now(), false)`.as('is_over'))
      .where('partner_id', '=', partnerId)
      .orderBy('id', 'desc')
      .execute(),
  )
  const opened = rows.map((row) => ({ row, webhook: openSecret(options, row) }))
  // Without the newest nothing is sent: it may be all that the partner has. One that it replaced is left out, or else a
  // rotation would mend nothing.
  if (opened[0]?.webhook === null) return null
  return opened.flatMap(({ row, webhook }) =>
    webhook === null ? [] : [{ webhook, expiresAt: row.expires_at }],
  )
}

type SecretRow = RowOf<'signing_secrets', 'id' | 'partner_id' | 'secret_sealed'> & { is_over: boolean }

/** Null: it cannot be opened, which is reported while it is to sign. */
const openSecret = ({ vault, log }: { vault: Vault; log: Log }, row: SecretRow): Webhook | null => {
  try {
    return new Webhook(vault.open(row.secret_sealed, identityOfSigningSecret(row)))
  } catch (error) {
    if (!(error instanceof CannotOpen)) throw error
    if (!row.is_over)
      log.error({
        event: 'signing_secret_unreadable',
        partner_id: Number(row.partner_id),
        reason: error.message,
      })
    return null
  }
}
