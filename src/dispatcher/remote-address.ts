import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Tells which address a request is written to. */
export type AddressObserver = {
  /** To be called in `onRequestStart` of the request: `tell` gets its address, before its first byte is written. */
  expect(tell: (address: string) => void): void
  stop(): void
}

/** undici's documented channel for the moment a request's headers are written. */
const CHANNEL = 'undici:client:sendHeaders'

/**
 * undici shows a request's socket on its diagnostics channel only. It publishes there in the same turn in which it has called
 * `onRequestStart`, so that the request which started last is the one whose headers are being written.
 */
export const observeAddresses = (): AddressObserver => {
  let expected: ((address: string) => void) | null = null
  const onSendHeaders = (message: unknown): void => {
    const tell = expected
    expected = null
    const address = socketOf(message)?.remoteAddress
    if (tell !== null && address !== undefined) tell(address)
  }
  subscribe(CHANNEL, onSendHeaders)
  return {
    expect: (tell) => {
      expected = tell
    },
    stop: () => {
      unsubscribe(CHANNEL, onSendHeaders)
    },
  }
}

const socketOf = (message: unknown): Partial<Socket> | null =>
  typeof message === 'object' && message !== null && 'socket' in message && typeof message.socket === 'object'
    ? message.socket
    : null
