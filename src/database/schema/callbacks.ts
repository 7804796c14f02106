import type { ColumnType, Generated } from 'kysely'

/** What Daraja posted, as it came; append only, partitioned by month. */
export type CallbacksTable = {
  /** A UUID of version 7, given by the process that took it. */
  id: string
  received_at: Date
  /** The payment that the callback URL's token names; null when nobody issued the token. */
  payment_id: bigint | null
  /** It came from an address that may not call back: never interpreted. */
  is_refused: boolean
  source_address: string
  /** `[name, value]` pairs in the order they came. */
  headers: ColumnType<[string, string][], string, never>
  body: Buffer
  /** What its URL carried beside the token; null: nothing of the kind. */
  nonce: string | null
}

/** Callbacks from unknown senders, truncated: the token is not one that we issued, the address not one of Daraja's. */
export type StrangerCallbacksTable = {
  /** A UUID of version 7, given by the process that took it. */
  id: string
  received_at: Date
  /** By the database's clock: from then on it is kept for so many days. */
  kept_at: Generated<Date>
  /** It came from an address that may not call back. */
  is_refused: boolean
  source_address: string
  /** Those that were kept, `[name, value]` pairs in the order they came. */
  headers: ColumnType<[string, string][], string, never>
  /** The beginning of the body. */
  body: Buffer
  /** How long the body was. */
  body_bytes: number
}

/** A duty: this callback is to be interpreted. No lease: that takes one transaction, which holds the row. */
export type ToInterpretTable = {
  callback_id: string
  /** The callback's: says in which partition it is. */
  received_at: Date
  due_at: Generated<Date>
}
