import type { Daraja } from './call.ts'

/** What Daraja knows a merchant by. Secrets: never logged. */
export type DarajaAccount = {
  consumerKey: string
  consumerSecret: string
  /** The paybill; for a till the head-office number. */
  shortcode: string
  passkey: string
  transactionType: 'CustomerPayBillOnline' | 'CustomerBuyGoodsOnline'
  /** Who receives: the paybill itself, or the till number. */
  partyB: string
}

/** The id of the default account, which is in the environment and not in the database. */
export const DEFAULT_ACCOUNT_ID = 0n

/** An account at hand: how to ask Daraja as it, and what it has. */
export type OpenAccount = {
  daraja: Daraja
  /** True: the AccountReference is unique for each payment, instead of the partner's reference. */
  uniqueReference: boolean
  /** Pull Transactions, with the number that was nominated for them; null: it has them not. */
  pull: { msisdn: string | null } | null
}

/**
 * The account of a payment, by its `account_id`. Null when its secrets cannot be opened, which is logged: what goes through it
 * waits. Rejects when Postgres is away.
 */
export type FindAccount = (accountId: bigint) => Promise<OpenAccount | null>
