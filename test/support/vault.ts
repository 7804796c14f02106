import { randomBytes } from 'node:crypto'
import { createVault } from '../../src/runtime/seal.ts'

/** The SECRET_KEY that the suite's processes are given. */
export const TEST_SECRET_KEY = 'ab'.repeat(32)

/** Seals and opens as processes with `TEST_SECRET_KEY` do. */
export const testVault = createVault({
  secretKey: Buffer.from(TEST_SECRET_KEY, 'hex'),
  previousSecretKey: null,
  randomBytes,
})
