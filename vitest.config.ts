import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What starts processes and servers, changes what a process has only once, or takes long: a process for each file. */
const ALONE = [
  'test/clients/installed-client.test.ts',
  'test/examples/*.test.ts',
  'test/{alerts,browser,docs,end-to-end,faults,laws,nights,releases,support}/**/*.test.ts',
  'test/core/{situation/bounded,traffic/plans}.test.ts',
  'test/database/outages.test.ts',
  'test/database/{plans,standby}.test.ts',
  'test/dispatcher/network/tls.test.ts',
  'test/local/!(environments|receiver|reporter|running).test.ts',
  'test/runtime/!(batch|config|count-errors|loop|redact|refused-callers|serve-config|wrong-secrets).test.ts',
  'test/scripts/!(client-types|production-imports|regular-expressions|tidy|tidy-*).test.ts',
]

/** What of the REST suite could differ when the core is behind gRPC: what goes along with a call, and what comes back. */
const APART = [
  'test/contract/{bodies,daraja-callbacks,fields,headers,limits,metadata,partner-guide,resend}.test.ts',
  'test/contract/transactions.test.ts',
  'test/facade/{overload,status}.test.ts',
]

/** Files that take long go first: at the end one of them would keep a single worker busy. */
const LONG = [
  /\/test\/(?:faults|releases)\//,
  /\/test\/(?:browser|end-to-end|laws|nights|docs|bench|database\/outages)/,
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((one, other) => placeOf(one) - placeOf(other))
  }
}

/** Files that share processes come last, and together: a process ends that has none of them to take next. */
const placeOf = ({ moduleId, project }: TestSpecification): number => {
  const long = LONG.findIndex((pattern) => pattern.test(moduleId))
  if (long !== -1) return long
  return project.config.isolate ? LONG.length : LONG.length + 1
}

const projectOf = (
  name: string,
  test: TestProjectInlineConfiguration['test'],
): TestProjectInlineConfiguration => ({
  test: {
    ...test,
    name,
    setupFiles: ['test/support/stay-here.ts'],
    pool: 'forks',
    testTimeout: 90_000,
    hookTimeout: 120_000,
  },
})

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // Five on any number of cores: tests mostly wait, and no more share one Postgres.
    maxWorkers: 5,
    sequence: { sequencer: LongFirst },
    projects: [
      projectOf('alone', { include: ALONE, isolate: true }),
      // Files of one process load the sources once: a file would take most of its CPU to load them.
      // The REST suite once more, with every facade apart from its core (test/support/apart.ts).
      projectOf('apart', { include: APART, isolate: false, env: { FACADE: 'apart' } }),
      projectOf('together', { include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false }),
    ],
  },
})
