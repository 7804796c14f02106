import type { Actor } from '../../src/core/audit/record-audit.ts'

/** Who did what a test makes ready by hand. */
export const testActor: Actor = { kind: 'operator', name: 'a test', from: 'the suite' }
