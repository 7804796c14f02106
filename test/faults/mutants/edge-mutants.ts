import type { Mutant } from './mutant.ts'

/** Guards of the doors against whoever means no good. */
export const EDGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'strangers have a budget in number only',
    law: 3,
    file: 'src/core/callbacks/strangers.ts',
    changes: [{ find: 'minute.bytes += bytes', replace: 'minute.bytes += 0 * bytes' }],
    killedBy: {
      file: 'test/core/callbacks/strangers.test.ts',
      test: 'is one of bytes as well as of number',
    },
  },
  {
    name: 'strangers are kept whole',
    law: 3,
    file: 'src/core/callbacks/strangers.ts',
    changes: [{ find: 'callback.body.subarray(0, maxBytes)', replace: 'callback.body' }],
    killedBy: { file: 'test/core/callbacks/strangers.test.ts', test: 'is the beginning of its body' },
  },
]
