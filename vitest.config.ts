import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // A process for each test file: files start servers and workers, and must not meet in one process's environment.
    pool: 'forks',
    isolate: true,
    // Two also on one or two cores, for tests mostly wait; no more than four share one Postgres.
    maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
