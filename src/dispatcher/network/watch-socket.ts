import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'

/** Observes which connection a request is written to. */
export type SocketObserver = {
  /** To be called in `onRequestStart` of the request: `onSocket` gets its socket, before its first byte is written. */
  expect(onSocket: (socket: Socket) => void): void
  stop(): void
}

/** undici's documented channel for the moment a request's headers are written. */
const CHANNEL = 'undici:client:sendHeaders'

/**
 * undici shows a request's socket on its diagnostics channel only. It publishes there in the same tick in which it has
 * called `onRequestStart`, so that the request which started last is the one whose headers are being written.
 */
export const observeSockets = (): SocketObserver => {
  let expected: ((socket: Socket) => void) | null = null
  const onSendHeaders = (message: unknown): void => {
    const onSocket = expected
    expected = null
    const socket = socketOf(message)
    if (onSocket !== null && socket !== null) onSocket(socket)
  }
  subscribe(CHANNEL, onSendHeaders)
  return {
    expect: (onSocket) => {
      expected = onSocket
    },
    stop: () => {
      unsubscribe(CHANNEL, onSendHeaders)
    },
  }
}

const socketOf = (message: unknown): Socket | null =>
  typeof message === 'object' && message !== null && 'socket' in message && message.socket instanceof Socket
    ? message.socket
    : null

/**
 * Calls `onExceeded` once more than `bytes` have come on the socket, from now on, whatever they say: what is counted by
 * meaning leaves out status lines, interim answers and the sizes of chunks, and these can be without end too. Returns
 * how to stop counting.
 */
export const limitReading = (socket: Socket, bytes: number, onExceeded: () => void): (() => void) => {
  const mostBytes = socket.bytesRead + bytes
  const onReadable = (): void => {
    if (socket.bytesRead <= mostBytes) return
    stop()
    onExceeded()
  }
  const stop = (): void => {
    socket.off('readable', onReadable)
  }
  socket.on('readable', onReadable)
  return stop
}
