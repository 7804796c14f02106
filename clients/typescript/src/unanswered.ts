import { Code, type ConnectError } from '@connectrpc/connect'
import { secondsIn } from './attempts.ts'

/**
 * How a call ends that the gateway, or the way to it, may answer well the next time. A connection that breaks is CANCELED to a
 * caller of Node's HTTP/2 who did not cancel.
 */
const PASSING: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.ResourceExhausted,
  Code.DeadlineExceeded,
  Code.Canceled,
  Code.Aborted,
  Code.Internal,
  Code.Unknown,
])

/** Whether the call may be answered well when it is made again. */
export const mayPass = ({ code }: ConnectError, signal?: AbortSignal): boolean =>
  PASSING.has(code) && signal?.aborted !== true

/** How long the gateway asked to wait, seconds; null where it did not. */
export const retryAfterOf = ({ metadata }: ConnectError): number | null =>
  secondsIn(metadata.get('retry-after'))
