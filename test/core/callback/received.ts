import { randomBytes } from 'node:crypto'
import type { ReceivedCallback } from '../../../src/core/callback/callback.ts'
import { createCallbackIds } from '../../../src/core/callback/callback.ts'
import { systemClock } from '../../../src/runtime/clock.ts'

export const newCallbackId = createCallbackIds({ clock: systemClock, randomBytes })

/** A callback of a token that nobody issued, with what a test wants otherwise. */
export const received = (overrides: Partial<ReceivedCallback> = {}): ReceivedCallback => ({
  id: newCallbackId(),
  received_at: new Date(),
  payment_id: null,
  nonce: null,
  is_refused: false,
  body_bytes: null,
  body: Buffer.from('{"Body":{}}'),
  headers: [['Content-Type', 'application/json']],
  source_address: '196.201.214.200',
  ...overrides,
})
