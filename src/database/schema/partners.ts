import type { ColumnType, Generated } from 'kysely'
import type { PartnerId } from '../../values/ids.ts'

/** Who may ask for payments. */
export type PartnersTable = {
  id: Generated<PartnerId>
  name: string
  created_at: Generated<Date>
  /** Set while the partner is disabled: its requests are answered 403. */
  disabled_at: ColumnType<Date | null, never, Date | null>
}

/** A partner's secrets for `X-API-KEY`; only their hashes. */
export type ApiKeysTable = {
  id: Generated<bigint>
  partner_id: PartnerId
  /** SHA-256 of the whole key. */
  key_hash: Buffer
  /** The key's first 12 characters, to tell keys apart on a screen. */
  display_prefix: string
  created_at: Generated<Date>
  revoked_at: ColumnType<Date | null, never, Date | null>
}

/** Secrets of internal services for `authorization: Bearer …`; only their hashes. */
export type ServiceTokensTable = {
  id: Generated<bigint>
  name: string
  token_hash: Buffer
  display_prefix: string
  scopes: string[]
  created_at: Generated<Date>
  revoked_at: ColumnType<Date | null, never, Date | null>
}
