import type { ColumnType, Generated } from 'kysely'

/** Who may ask for payments. */
export type PartnersTable = {
  id: Generated<bigint>
  name: string
  created_at: Generated<Date>
  /** Set while the partner is disabled: its requests are answered 403 and nobody is prompted for it. */
  disabled_at: ColumnType<Date | null, never, Date | null>
  /** Where its outcomes may be told: hosts, or `*.` and a name for every host below it; null: anywhere public. */
  callback_hosts: ColumnType<string[] | null, never, string[] | null>
  /** Requests a second, to all replicas together; null: as the gateway's settings have it. */
  requests_per_second: ColumnType<number | null, never, number | null>
  /** The largest payment it may ask for, KES; null: Daraja's limit. */
  max_payment_kes: ColumnType<number | null, never, number | null>
  /** What it may ask for in a day of Nairobi, KES; null: without limit. */
  max_daily_kes: ColumnType<bigint | null, never, bigint | null>
}

/** A partner's secrets for `X-API-KEY`; only their hashes. */
export type ApiKeysTable = {
  id: Generated<bigint>
  partner_id: bigint
  /** SHA-256 of the whole key. */
  key_hash: Buffer
  /** The key's first 12 characters, to tell keys apart on a screen. */
  display_prefix: string
  /** What its owner calls it. */
  name: Generated<string>
  created_at: Generated<Date>
  revoked_at: ColumnType<Date | null, never, Date | null>
  /** From then on it is refused; null: it does not expire. */
  expires_at: Date | null
  /** When it last let a request in, to the minute; null: never. */
  last_used_at: ColumnType<Date | null, never, Date>
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
