import { randomBytes } from 'node:crypto'
import type { ReceivedCallback } from '../../../src/core/callback/callback.ts'
import { createCallbackIds } from '../../../src/core/callback/callback.ts'
import { systemClock } from '../../../src/runtime/clock.ts'

export const newCallbackId = createCallbackIds({ clock: systemClock, randomBytes })

/** A callback of a token that nobody issued, with what a test wants otherwise. */
export const received = (overrides: Partial<ReceivedCallback> = {}): ReceivedCallback => ({
  id: newCallbackId(),
  receivedAt: new Date(),
  paymentId: null,
  nonce: null,
  isRefused: false,
  strangerBodyBytes: null,
  body: Buffer.from('{"Body":{}}'),
  headers: [{ name: 'Content-Type', value: 'application/json' }],
  sourceAddress: '196.201.214.200',
  ...overrides,
})
