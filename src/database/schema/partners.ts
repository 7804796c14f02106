import type { ColumnType, Generated } from 'kysely'

/** Who may ask for payments. */
export type PartnersTable = {
  id: Generated<bigint>
  name: string
  created_at: Generated<Date>
  /** Set while the partner is disabled: its requests are answered 403 and nobody is prompted for it. */
  disabled_at: ColumnType<Date | null, never, Date | null>
  /** Where its outcomes may be delivered: hosts, or `*.` and a name for every host below it; null: anywhere public. */
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
  /** The key's first 12 characters, which distinguish keys on a screen. */
  display_prefix: string
  /** What its owner calls it. */
  name: Generated<string>
  created_at: Generated<Date>
  revoked_at: ColumnType<Date | null, never, Date | null>
  /** From then on it is refused; null: it does not expire. */
  expires_at: Date | null
  /** When it last authenticated a request, to the minute; null: never. */
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

/** What deliveries to a partner are signed with, sealed. */
export type SigningSecretsTable = {
  id: Generated<bigint>
  partner_id: bigint
  /** Sealed for this row: see `identityOfSigningSecret`. */
  secret_sealed: string
  created_at: Generated<Date>
  /** Until then it still signs beside its successor; null: it is the current one. */
  expires_at: ColumnType<Date | null, never, Date | null>
}

/**
 * A partner's own account at Daraja. Rows stay, for payments name them; only their secrets change, and whether the
 * partner's new payments go through them.
 */
export type PartnerAccountsTable = {
  id: Generated<bigint>
  partner_id: bigint
  /** The paybill; for a till the head-office number. */
  shortcode: string
  transaction_type: 'CustomerPayBillOnline' | 'CustomerBuyGoodsOnline'
  /** Who receives: the paybill itself, or the till number. */
  party_b: string
  /** Sealed for this row and column: see `identityOfAccountSecret`. */
  consumer_key_sealed: string
  consumer_secret_sealed: string
  passkey_sealed: string
  /** The payer sees a short code of the payment, instead of the partner's reference. */
  unique_reference: Generated<boolean>
  /** It has Pull Transactions. */
  pull: Generated<boolean>
  /** The number that was nominated for them. */
  pull_msisdn: string | null
  created_at: Generated<Date>
  /** Since then new payments do not go through it; null: they do. */
  ended_at: ColumnType<Date | null, never, Date | null>
}
