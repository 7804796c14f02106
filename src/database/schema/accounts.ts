import type { ColumnType, Generated } from 'kysely'

/**
 * A partner's own account at Daraja. Rows stay, for payments name them; only their secrets change, and whether the partner's
 * new payments go through them.
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
