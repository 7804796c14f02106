import type { PaymentNumbers } from '../../src/database/mark/number-guard.ts'

/** For a database that no copy takes the place of: nothing was given out before. */
export const forgetfulNumbers: PaymentNumbers = {
  highest: () => 0n,
  given: () => Promise.resolve(),
  refused: () => Promise.resolve(),
}
