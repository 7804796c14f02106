import type { Actor } from '../../src/core/audit/record-audit.ts'

/** Who did what a test makes ready by hand. */
export const testActor: Actor = { kind: 'operator', name: 'a test', from: 'the suite' }

/** How an operator settles a payment in tests, beside which and how it ended. */
export const BY_HAND = {
  owner: 'anybody',
  actor: { kind: 'operator', name: 'amina', from: 'test' },
  anyway: true,
  isRehearsal: false,
  reason: 'on the statement of 4 May',
} as const
