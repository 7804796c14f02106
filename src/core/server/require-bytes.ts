import type { Socket } from 'node:net'
import type { CutReason } from '../../runtime/connection-guard.ts'

/** How many bytes a connection begins with. */
const BYTES = {
  /** What tells HTTP/2 from HTTP/1.1. */
  start: 3,
  /** The preface of HTTP/2 and the header of the SETTINGS frame that follows it (RFC 9113, section 3.4). */
  preface: 24 + 9,
} as const

/**
 * Cuts a connection that has not sent its beginning within `withinMs`, however steadily it drips: what counts is what has
 * come by then. Returns what ends the wait.
 */
export const requireBytes = (
  socket: Socket,
  beginning: keyof typeof BYTES,
  withinMs: number,
  onCut: (reason: CutReason) => void,
): (() => void) => {
  const deadline = setTimeout(() => {
    if (socket.bytesRead >= BYTES[beginning]) return
    socket.destroy()
    onCut('sender')
  }, withinMs).unref()
  const end = (): void => clearTimeout(deadline)
  socket.once('close', end)
  return end
}
