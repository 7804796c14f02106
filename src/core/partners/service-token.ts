import type { Database } from '../../database/connect.ts'
import { hashSecret, isWellFormedSecret, makeSecret, recordOf } from './secret.ts'

/** What a service token lets its holder do. */
export const SCOPES = [
  'payments:read',
  'payments:write',
  'callbacks:write',
  'deliveries:manage',
  'partners:manage',
] as const

export type Scope = (typeof SCOPES)[number]

export const isScope = (text: string): text is Scope => SCOPES.some((scope) => scope === text)

/** Creates a token for an internal service. It is returned this once and kept only as a hash. */
export const createServiceToken = async (options: {
  database: Database
  name: string
  scopes: readonly Scope[]
  randomBytes: (count: number) => Buffer
}): Promise<string> => {
  const token = makeSecret('mps_', options.randomBytes)
  const { hash, displayPrefix } = recordOf(token)
  await options.database
    .insertInto('service_tokens')
    .values({
      name: options.name,
      token_hash: hash,
      display_prefix: displayPrefix,
      scopes: [...options.scopes],
    })
    .execute()
  return token
}

/** The scopes of a token; null for one that is unknown or revoked. */
export const findScopes = async (database: Database, token: string): Promise<Scope[] | null> => {
  if (!isWellFormedSecret('mps_', token)) return null
  const row = await database
    .selectFrom('service_tokens')
    .select('scopes')
    .where('token_hash', '=', hashSecret(token))
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return row ? row.scopes.filter(isScope) : null
}
