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
