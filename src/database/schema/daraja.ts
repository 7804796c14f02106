import type { Generated } from 'kysely'

/** What all replicas must know of an account at Daraja; a row appears when there is something to know. */
export type DarajaAccountsTable = {
  shortcode: string
  /** Until then nothing is asked of Daraja for this account, for it was turned away. */
  held_until: Generated<Date>
  /** How often in a row it was held; a minute without trouble starts the count anew. */
  holds: Generated<number>
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
