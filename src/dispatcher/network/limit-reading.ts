import type { Socket } from 'node:net'

/**
 * Calls `onExceeded` once more than `bytes` have come on the socket, from now on, whatever they say: what is counted by
 * meaning leaves out status lines, interim answers and the sizes of chunks, and these can be without end too. Returns how to
 * stop counting.
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
