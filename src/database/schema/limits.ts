import type { ColumnType, Generated } from 'kysely'

/** How much a partner may ask for: a bucket shared by all replicas, which take slices of it. */
export type PartnerBucketsTable = {
  partner_id: bigint
  /** The bucket's level, as the instant at which it is full again. */
  next_at: Generated<Date>
  /** How many requests the last slice was for. */
  granted: Generated<number>
}

/** What a partner with a daily limit asked for; forgotten after a week. */
export type PartnerDaysTable = {
  partner_id: bigint
  /** A day of Nairobi. */
  day: Date
  asked_kes: Generated<bigint>
}

/** What a partner asked of a payer lately; forgotten an hour after the last, once none of it is open. */
export type PayerPromptsTable = {
  partner_id: bigint
  msisdn: string
  touched_at: Generated<Date>
  /** Payments of the last hour and what is open, oldest first, with the time of each in ms since 1970. */
  recent: ColumnType<{ id: number; atMs: number }[], string | undefined, string>
}

/** What all replicas must know of an account at Daraja; a row appears when there is something to know. */
export type DarajaAccountsTable = {
  shortcode: string
  /** Until then Daraja is not called for this account, since it refused the whole account. */
  held_until: Generated<Date>
  /** How often in a row it was held; a minute without another hold resets the count. */
  holds: Generated<number>
  /** When the first of the holds in a row began; null: it was never held, or by a release that did not write it. */
  held_since: Date | null
  /** Why the last hold began: Daraja's code, or that of the connection; null: by a release that did not write it. */
  held_code: string | null
  /** When its Pull Transactions were registered; null: not yet. */
  pull_registered_at: Date | null
}

/** How much may be asked of Daraja, for one account and one kind of call: a bucket shared by all replicas. */
export type DarajaBudgetsTable = {
  shortcode: string
  call: string
  /** The bucket's level, as the instant at which it is empty again. */
  next_at: Generated<Date>
}
