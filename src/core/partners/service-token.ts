import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { WrongSecrets } from '../../runtime/count-wrong-secrets.ts'
import { isScope, type Scope } from '../../values/scope.ts'
import { type Actor, type AuditEntry, recordAudit } from '../audit/record-audit.ts'
import { hashSecret, makeSecret, recordOf } from './secret.ts'
import { createSecretCheck, type Unproven } from './secret-check.ts'

/** A token as operators see it: never the token itself. */
export type ServiceToken = {
  tokenId: bigint
  name: string
  displayPrefix: string
  scopes: string[]
  createdAt: Date
  revokedAt: Date | null
}

/** What a service token turned out to be. */
export type TokenCheck =
  | { kind: 'service'; tokenId: bigint; name: string; scopes: readonly Scope[] }
  | { kind: 'revoked' }
  | Unproven

/** Looks at a service token; rejects when the database is away and the token is not remembered. */
export type CheckToken = (token: string, address: string) => Promise<TokenCheck>

/** Creates a token for an internal service. It is returned this once and kept only as a hash. */
export const createServiceToken = (options: {
  database: Database
  name: string
  scopes: readonly Scope[]
  actor: Actor
  randomBytes: (count: number) => Buffer
}): Promise<{ tokenId: bigint; token: string }> =>
  options.database.transaction().execute(async (transaction) => {
    const token = makeSecret('mps_', options.randomBytes)
    const { hash, displayPrefix } = recordOf(token)
    const { id } = await transaction
      .insertInto('service_tokens')
      .values({
        name: options.name,
        token_hash: hash,
        display_prefix: displayPrefix,
        scopes: [...options.scopes],
      })
      .returning('id')
      .executeTakeFirstOrThrow()
    const after = { name: options.name, scopes: options.scopes }
    await recordAudit(transaction, entryOf(options.actor, 'created', id, null, after))
    return { tokenId: id, token }
  })

/**
 * Ends a token for good: it is refused within five seconds everywhere. False when there is none that could still be
 * ended.
 */
export const revokeServiceToken = (options: {
  database: Database
  tokenId: bigint
  actor: Actor
}): Promise<boolean> =>
  options.database.transaction().execute(async (transaction) => {
    const revoked = await transaction
      .updateTable('service_tokens')
      .set({ revoked_at: now })
      .where('id', '=', options.tokenId)
      .where('revoked_at', 'is', null)
      .returning('revoked_at')
      .executeTakeFirst()
    if (!revoked) return false
    const entry = entryOf(options.actor, 'revoked', options.tokenId, { revoked_at: null }, revoked)
    await recordAudit(transaction, entry)
    return true
  })

const entryOf = (
  actor: Actor,
  action: string,
  id: bigint,
  before: AuditEntry['before'],
  after: AuditEntry['after'],
): AuditEntry => ({ actor, action, subject: { kind: 'token', id }, partnerId: null, before, after })

/** At most `limit` tokens with an id above `after`, oldest first, those that have ended too. */
export const listServiceTokens = async (
  database: Database,
  { after, limit }: { after: bigint; limit: number },
): Promise<ServiceToken[]> => {
  const rows = await database
    .selectFrom('service_tokens')
    .select(['id', 'name', 'display_prefix', 'scopes', 'created_at', 'revoked_at'])
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    tokenId: row.id,
    name: row.name,
    displayPrefix: row.display_prefix,
    scopes: row.scopes,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
  }))
}

/** Makes the check of service tokens, which remembers and counts as that of keys does. */
export const createTokenCheck = (parts: {
  database: Database
  wrongSecrets: WrongSecrets
  nowMs: () => number
}): CheckToken =>
  createSecretCheck<Exclude<TokenCheck, Unproven>>({
    wrongSecrets: parts.wrongSecrets,
    nowMs: parts.nowMs,
    prefixes: ['mps_'],
    lookUp: (token) => lookUpToken(parts.database, token),
    isGood: (answer) => answer.kind === 'service',
  })

const lookUpToken = async (
  database: Database,
  token: string,
): Promise<Exclude<TokenCheck, Unproven> | null> => {
  const row = await database
    .selectFrom('service_tokens')
    .select(['id', 'name', 'scopes', 'revoked_at'])
    .where('token_hash', '=', hashSecret(token))
    .executeTakeFirst()
  if (!row) return null
  if (row.revoked_at !== null) return { kind: 'revoked' }
  return { kind: 'service', tokenId: row.id, name: row.name, scopes: row.scopes.filter(isScope) }
}
