import { setTimeout as pause } from 'node:timers/promises'
import { ConnectError } from '@connectrpc/connect'
import { mayPass, retryAfterOf } from './unanswered.ts'

/** Where to begin, and when to end. */
export type ResumeOptions = {
  /** The cursor of the last event that was dealt with; none unless given. */
  after?: string
  signal?: AbortSignal
}

/** Between the end of a stream and the next: doubled while none brings anything, ms. */
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000

/**
 * The messages of a stream that is listened to again from the last cursor whenever it ends, here or at another replica: none
 * is missed and none comes twice. It goes on until the caller leaves the loop, the signal is given, or the gateway refuses;
 * then it throws.
 *
 *     resumed((after, signal) => events.watchPayments({ after }, { signal }))
 */
export async function* resumed<Message extends { cursor: string }>(
  listen: (after: string, signal: AbortSignal) => AsyncIterable<Message>,
  { after = '', signal = new AbortController().signal }: ResumeOptions = {},
): AsyncGenerator<Message, never> {
  let [cursor, pauseMs] = [after, FIRST_PAUSE_MS]
  for (;;) {
    let askedSeconds: number | null = null
    try {
      for await (const message of listen(cursor, signal)) {
        yield message
        ;[cursor, pauseMs] = [message.cursor, FIRST_PAUSE_MS]
      }
    } catch (cause) {
      const error = ConnectError.from(cause)
      if (!mayPass(error, signal)) throw error
      askedSeconds = retryAfterOf(error)
    }
    const waitMs = askedSeconds === null ? pauseMs : askedSeconds * 1000
    await pause(waitMs * (1 + Math.random() / 4), undefined, { signal })
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }
}
