import type { Database } from '../../database/connect.ts'
import type { Vault } from '../../runtime/seal.ts'
import type { PartnerId } from '../../values/ids.ts'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'
import { makeSecret, recordOf } from './secret.ts'
import { addSigningSecret } from './signing-secret.ts'

/** A partner as operators see it. */
export type Partner = {
  id: bigint
  name: string
  createdAt: Date
  disabledAt: Date | null
  keyPrefixes: string[]
}

/** Parses a partner's name: 1 to 100 printable characters, not blank at either end. */
export const parsePartnerName = (text: string): Parsed<string> =>
  /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]{1,100}$/u.test(text) && text.trim() === text
    ? valid(text)
    : invalid('must be 1 to 100 printable characters, without blanks at either end')

/**
 * Creates a partner with its first API key and its signing secret, in one transaction. Both are returned this once: the key is
 * kept only as a hash, the secret sealed.
 */
export const createPartner = (options: {
  database: Database
  name: string
  vault: Vault
  randomBytes: (count: number) => Buffer
}): Promise<{ partnerId: PartnerId; apiKey: string; signingSecret: string }> =>
  options.database.transaction().execute(async (transaction) => {
    const apiKey = makeSecret('mpg_', options.randomBytes)
    const { hash, displayPrefix } = recordOf(apiKey)
    const partner = await transaction
      .insertInto('partners')
      .values({ name: options.name })
      .returning('id')
      .executeTakeFirstOrThrow()
    await transaction
      .insertInto('api_keys')
      .values({ partner_id: partner.id, key_hash: hash, display_prefix: displayPrefix })
      .execute()
    const signingSecret = await addSigningSecret(transaction, { ...options, partnerId: partner.id })
    return { partnerId: partner.id, apiKey, signingSecret }
  })

/** Every partner, oldest first, with the first characters of its keys that are not revoked. */
export const listPartners = async (database: Database): Promise<Partner[]> => {
  const rows = await database
    .selectFrom('partners')
    .leftJoin('api_keys', (join) =>
      join.onRef('api_keys.partner_id', '=', 'partners.id').on('api_keys.revoked_at', 'is', null),
    )
    .select(['partners.id', 'partners.name', 'partners.created_at', 'partners.disabled_at'])
    .select((build) =>
      build.fn.agg<(string | null)[]>('array_agg', ['api_keys.display_prefix']).as('prefixes'),
    )
    .groupBy('partners.id')
    .orderBy('partners.id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
    keyPrefixes: row.prefixes.filter((prefix) => prefix !== null),
  }))
}
