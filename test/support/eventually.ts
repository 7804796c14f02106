import { vi } from 'vitest'

/** How long a condition may take to come true on a loaded machine, ms. */
const PATIENCE_MS = 40_000

/** Waits until `check` no longer throws, and resolves with what it returned; rejects with its last error after `patienceMs`. */
export const eventually = <Result>(
  check: () => Result | Promise<Result>,
  patienceMs = PATIENCE_MS,
): Promise<Result> => vi.waitFor(check, { timeout: patienceMs, interval: 10 })
