import { vi } from 'vitest'

/** How long a condition may take to come true on a loaded machine, ms. */
const PATIENCE_MS = 15_000

/** Waits until `check` no longer throws, and resolves with what it returned; rejects with its last error. */
export const eventually = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: PATIENCE_MS, interval: 10 })
