import type { Mutant } from './mutant.ts'

const WRONG_CLOCKS = 'test/end-to-end/wrong-clocks.test.ts'

/** What goes wrong when a process believes its own clock, or Postgres one that was set back. */
export const CLOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'a dispatcher reads dates by the clock of its machine',
    law: 6,
    file: 'src/cli/dispatch.ts',
    changes: [{ find: '    clock: time.clock,\n', replace: '    clock: systemClock,\n' }],
    killedBy: { file: WRONG_CLOCKS, test: 'ask an endpoint again when it wants to be asked' },
  },
  {
    name: 'a signature is of the time of the dispatcher’s machine',
    law: 6,
    file: 'src/dispatcher/deliver/deliver.ts',
    changes: [
      {
        find: 'claimed.map((claim) => [claim.id, claim])',
        replace: 'claimed.map((claim) => [claim.id, { ...claim, started_at: new Date() }])',
      },
    ],
    killedBy: { file: WRONG_CLOCKS, test: 'sign what they deliver with a timestamp that the partner takes' },
  },
  {
    name: 'pushes carry the time of the machine',
    law: 2,
    file: 'src/cli/serve.ts',
    changes: [
      {
        find: '    clock: time.clock,\n    nowMs,\n    random: Math.random,',
        replace: '    clock: systemClock,\n    nowMs,\n    random: Math.random,',
      },
    ],
    killedBy: { file: WRONG_CLOCKS, test: 'prompt each payer once, with a timestamp of now' },
  },
  {
    name: 'a partner is refused until the time comes again by which a clock was set back',
    law: 7,
    file: 'src/core/partners/request-rate.ts',
    changes: [{ find: "${unlessSetBack(sql.ref('next_at'))}", replace: 'next_at' }],
    killedBy: {
      file: 'test/core/partners/request-rate.test.ts',
      test: 'after the clock of Postgres was set back',
    },
  },
]
