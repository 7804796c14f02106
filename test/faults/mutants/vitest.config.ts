import { defineConfig } from 'vitest/config'

const given = (name: string): string => process.env[name] ?? ''

/** For the one test file of a mutant, in a run that has begun: its services and its template, and nothing is made before. */
export default defineConfig({
  test: {
    provide: {
      databaseUrl: given('DATABASE_URL'),
      databaseTemplate: given('DATABASE_TEMPLATE'),
      natsUrl: given('NATS_URL'),
      testRun: given('TEST_RUN'),
    },
    setupFiles: ['test/support/stay-here.ts'],
    pool: 'forks',
    hookTimeout: 60_000,
  },
})
