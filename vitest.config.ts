import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take a minute or two go first: at the end one of them would keep a single worker busy. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((one, other) => Number(isLong(other)) - Number(isLong(one)))
  }
}

const isLong = ({ moduleId }: TestSpecification): boolean => /\/test\/(?:faults|releases)\//.test(moduleId)

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/stay-here.ts'],
    // A process for each test file: files start servers and workers, and must not meet in one process's environment.
    pool: 'forks',
    isolate: true,
    // Three also on one or two cores, for tests mostly wait; no more than four share one Postgres.
    maxWorkers: Math.min(4, Math.max(3, availableParallelism())),
    sequence: { sequencer: LongFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
