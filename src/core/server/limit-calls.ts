import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { CutReason } from '../../runtime/connection-guard.ts'

// Over HTTP/2 many calls share a connection, so each has the limits by itself that a connection of HTTP/1.1 has.

/** Its one method takes questions for as long as a tool is open. */
const REFLECTION = '/grpc.reflection.'

/** Ends a call whose request has not come whole within `withinMs`, however steadily it drips. */
export const limitRequest = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  withinMs: number,
  onCut: (reason: CutReason) => void,
): void => {
  if (headers[':path']?.startsWith(REFLECTION) === true) return
  const deadline = setTimeout(() => {
    if (!hasArrived(stream)) cut(stream, 'sender', onCut)
  }, withinMs).unref()
  stream.once('close', () => clearTimeout(deadline))
}

/** Ends a call whose answer is not taken any further for `withinMs`. */
export const limitAnswer = (
  stream: ServerHttp2Stream,
  withinMs: number,
  onCut: (reason: CutReason) => void,
): void => {
  // Node calls this when nothing moved for so long: also where nothing is to be sent, as between two events.
  stream.setTimeout(withinMs, () => {
    if (stream.writableLength > 0) cut(stream, 'reader', onCut)
  })
}

const hasArrived = ({ state }: ServerHttp2Stream): boolean =>
  state.state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE

const cut = (stream: ServerHttp2Stream, reason: CutReason, onCut: (reason: CutReason) => void): void => {
  stream.close(constants.NGHTTP2_CANCEL)
  onCut(reason)
}
