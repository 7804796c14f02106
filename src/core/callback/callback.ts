import type { RowOf } from '../../database/schema/schema.ts'
import type { Clock } from '../../runtime/clock.ts'

/** In the place of a nonce: a process of the release before took the callback, and looked for none. */
export const UNREAD_NONCE = 'unread'

/** A callback as it came, and what was known of it at once: its row, wherever it is until it gets into Postgres. */
export type ReceivedCallback = RowOf<
  'callbacks',
  'id' | 'received_at' | 'payment_id' | 'is_refused' | 'source_address' | 'headers'
> & {
  /** What its URL carried beside the token, 16 hexadecimal digits; null: nothing of the kind; else `UNREAD_NONCE`. */
  nonce: string | null
  body: Uint8Array
  /**
   * Of an unknown sender's, which is kept apart, truncated and for days only: how many bytes its body had when it came.
   * Null for every other callback.
   */
  body_bytes: number | null
}

/** How many ids of one millisecond keep their order. */
const COUNT_LIMIT = 4096

/**
 * Makes the ids of callbacks: UUIDs of version 7 (RFC 9562), which sort by time, and those of one process in the order
 * they were made. 62 random bits, drawn once, are the process's own: ids must be unique, not secret. A callback has its
 * id before it is stored anywhere, so that it can be on its way to Postgres and in the spool at once and still be
 * stored once.
 */
export const createCallbackIds = (options: {
  clock: Clock
  randomBytes: (count: number) => Buffer
}): (() => string) => {
  const own = renderOwn(options.randomBytes(8))
  let lastMs = 0
  let count = 0
  return () => {
    const nowMs = options.clock().getTime()
    // A clock that is set back, or a full millisecond, borrows from the time to come: the order is what matters.
    if (nowMs > lastMs) {
      lastMs = nowMs
      count = 0
    } else if (count === COUNT_LIMIT - 1) {
      lastMs += 1
      count = 0
    } else count += 1
    return render(lastMs, count, own)
  }
}

/** Below the ids of all callbacks that came at this time or later, ms. */
export const firstIdAt = (ms: number): string => render(Math.max(0, Math.floor(ms)), 0, '8000-000000000000')

/** When the callback of this id came, ms. */
export const msOfId = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

const render = (ms: number, count: number, own: string): string => {
  const time = ms.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count.toString(16).padStart(3, '0')}-${own}`
}

/** The last two groups, with the variant's two bits before the random ones. */
const renderOwn = (random: Buffer): string => {
  random[0] = ((random[0] ?? 0) & 0x3f) | 0x80
  const digits = random.toString('hex')
  return `${digits.slice(0, 4)}-${digits.slice(4)}`
}

/** Text that Postgres can hold; HTTP carries no other, callers over gRPC may. */
export const toStorable = (text: string): string => text.replaceAll('\u0000', '\ufffd').toWellFormed()

/** A header as it is stored. */
export const toStorableHeader = ({ name, value }: { name: string; value: string }): [string, string] => [
  toStorable(name),
  toStorable(value),
]
