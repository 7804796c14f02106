import type { ColumnType, Generated } from 'kysely'

/** What Daraja posted, as it came; append only, partitioned by month. */
export type CallbacksTable = {
  id: Generated<bigint>
  received_at: Generated<Date>
  /** The payment that the callback URL's token names; null when nobody issued the token. */
  payment_id: bigint | null
  source_address: string
  /** `[name, value]` pairs in the order they came. */
  headers: ColumnType<[string, string][], string, never>
  body: Buffer
}

/** A duty: this callback is to be interpreted. No lease: that takes one transaction, which holds the row. */
export type ToInterpretTable = {
  callback_id: bigint
  /** The callback's: says in which partition it is. */
  received_at: Date
  due_at: Generated<Date>
}
