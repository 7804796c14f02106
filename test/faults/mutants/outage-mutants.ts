import type { Mutant } from './mutant.ts'

const OUTAGES = 'test/database/outages.test.ts'
const CONNECTIONS = 'src/database/lend-connections.ts'

/** What takes an outage for a defect, and so ends a process that should take callbacks; and connections that are of no use. */
export const OUTAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a Postgres that no way leads to is a defect',
    law: 3,
    file: CONNECTIONS,
    changes: [{ find: 'throw pool.ending ? error : new DatabaseUnavailable(error)', replace: 'throw error' }],
    killedBy: { file: OUTAGES, test: 'no way to its address' },
  },
  {
    name: 'a Postgres that may only be read is a defect',
    law: 3,
    file: 'src/database/outage.ts',
    changes: [{ find: '|25P04|25006)/', replace: '|25P04)/' }],
    killedBy: { file: OUTAGES, test: 'are closed and replaced once one of them cannot write' },
  },
  {
    name: 'connections that turned read-only are kept',
    law: 3,
    file: CONNECTIONS,
    changes: [{ find: "if (isReadOnly(error)) generations.end(client, 'read_only')\n", replace: '' }],
    killedBy: { file: OUTAGES, test: 'are replaced at the first write after it is gone' },
  },
  {
    name: 'an outdated plan is the end of what asked',
    law: 3,
    file: CONNECTIONS,
    changes: [{ find: 'if (!isAlone) throw error', replace: 'throw error' }],
    killedBy: { file: OUTAGES, test: 'is prepared anew, without its caller noticing' },
  },
  {
    name: 'a commit counts that the standby may not have',
    law: 1,
    file: 'src/database/send-statement.ts',
    changes: [
      { find: 'if (unreplicated.delete(client)) throw', replace: 'if (statement.text === null) throw' },
    ],
    killedBy: {
      file: 'test/database/standby.test.ts',
      test: 'is not taken for done when somebody cancels the wait',
    },
  },
  {
    name: 'a push is forgotten that a fail-over has lost',
    law: 2,
    file: 'src/core/submit/record-pushes.ts',
    changes: [{ find: '    await takeAnew(transaction, options.pushes, known)\n', replace: '' }],
    killedBy: {
      file: 'test/core/submit/record-pushes.test.ts',
      test: 'whose taking a fail-over has lost takes the payment anew',
    },
  },
  {
    name: 'an outage between the rows of a batch counts against their data',
    law: 3,
    file: 'src/database/run-rows.ts',
    changes: [
      {
        find: 'if (!isDataError(error)) throw error',
        replace: 'if (items.length > 1 && !isDataError(error)) throw error',
      },
    ],
    killedBy: {
      file: 'test/database/run-rows.test.ts',
      test: 'are nobody’s fault when an outage comes between',
    },
  },
  {
    name: 'a month without its partition is known by an English message',
    law: 3,
    file: 'src/database/partitions.ts',
    changes: [
      {
        find: 'error.constraint === undefined',
        replace: "error.message.startsWith('no partition of relation')",
      },
    ],
    killedBy: {
      file: 'test/core/callback/store.test.ts',
      test: 'is understood when it misses the partition of a month of long ago',
    },
  },
]
