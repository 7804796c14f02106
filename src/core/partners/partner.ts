import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { isNotOver } from '../../database/expressions.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { Vault } from '../../runtime/seal.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { addKey } from './api-key.ts'
import {
  type PartnerSettings,
  type PartnerSettingsRow,
  SETTINGS_COLUMNS,
  toPartnerSettings,
} from './calling-partner.ts'
import { addSigningSecret } from './signing-secret.ts'

/** A partner as operators see it. */
export type Partner = {
  id: bigint
  name: string
  createdAt: Date
  disabledAt: Date | null
  settings: PartnerSettings
  /** The first characters of its keys that work. */
  keyPrefixes: string[]
}

/**
 * Creates a partner with its first API key and its signing secret, in one transaction. Both are returned this once: the
 * key is kept only as a hash, the secret sealed.
 */
export const createPartner = (options: {
  database: Database
  name: string
  vault: Vault
  actor: Actor
  randomBytes: (count: number) => Buffer
}): Promise<{ partnerId: bigint; apiKey: string; signingSecret: string }> =>
  options.database.transaction().execute(async (transaction) => {
    const { id: partnerId } = await transaction
      .insertInto('partners')
      .values({ name: options.name })
      .returning('id')
      .executeTakeFirstOrThrow()
    const { apiKey } = await addKey(transaction, {
      partnerId,
      name: 'first',
      expiresAt: null,
      isTest: false,
      randomBytes: options.randomBytes,
    })
    const signingSecret = await addSigningSecret(transaction, {
      vault: options.vault,
      partnerId,
      randomBytes: options.randomBytes,
    })
    await recordAudit(transaction, {
      actor: options.actor,
      action: 'created',
      subject: { kind: 'partner', id: partnerId },
      partnerId,
      before: null,
      after: { name: options.name },
    })
    return { partnerId, apiKey, signingSecret }
  })

/** Partners, oldest first: at most `limit`, with ids above `after`. */
export const listPartners = async (options: {
  database: Database
  limit: number
  after: bigint | null
}): Promise<Partner[]> => {
  const rows = await partnersOf(options.database)
    .where('partners.id', '>', options.after ?? 0n)
    .limit(options.limit)
    .execute()
  return rows.map(toPartner)
}

/** One partner; null when there is none of this id. */
export const findPartner = async (database: Database, partnerId: bigint): Promise<Partner | null> => {
  const row = await partnersOf(database).where('partners.id', '=', partnerId).executeTakeFirst()
  return row ? toPartner(row) : null
}

const partnersOf = (database: Database) =>
  database
    .selectFrom('partners')
    .select(['partners.id', 'name', 'created_at', 'disabled_at', ...SETTINGS_COLUMNS])
    .select((eb) => {
      const prefixes = eb
        .selectFrom('api_keys')
        .select('display_prefix')
        .whereRef('partner_id', '=', 'partners.id')
        .where('revoked_at', 'is', null)
        .where(isNotOver('api_keys.expires_at'))
        .orderBy('api_keys.id')
      return sql<string[]>`ARRAY${prefixes}`.as('prefixes')
    })
    .orderBy('partners.id')

const toPartner = (
  row: RowOf<'partners', 'id' | 'name' | 'created_at' | 'disabled_at'> &
    PartnerSettingsRow & { prefixes: string[] },
): Partner => ({
  id: row.id,
  name: row.name,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
  settings: toPartnerSettings(row),
  keyPrefixes: row.prefixes,
})
