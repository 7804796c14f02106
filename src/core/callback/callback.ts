/** In the place of a nonce: a process of the release before took the callback, and looked for none. */
export const UNREAD_NONCE = 'unread'

/** A callback as it came, and what was known of it at once. */
export type ReceivedCallback = {
  /** A UUID of version 7, ours: by it the callback is stored once, whichever ways it takes. */
  id: string
  /** When it came, UTC, whenever it gets into Postgres. */
  receivedAt: Date
  /** The payment that its URL's token names; null when nobody here issued the token. */
  paymentId: bigint | null
  /** What its URL carried beside the token, 16 hexadecimal digits; null: nothing of the kind; else `UNREAD_NONCE`. */
  nonce: string | null
  /** True when it came from an address that may not call back: kept, and never interpreted. */
  isRefused: boolean
  /**
   * Of a stranger's, which is kept apart, cut and for days only: how many bytes its body had when it came. Null for every
   * other callback.
   */
  strangerBodyBytes: number | null
  body: Uint8Array
  headers: readonly { name: string; value: string }[]
  sourceAddress: string
}
