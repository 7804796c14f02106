import type { Mutant } from './mutant.ts'

const GUARD = 'test/database/mark/number-guard.test.ts'
const MARKS = 'test/database/mark/marks.test.ts'

/** What keeps numbers from being given out again when the database is an older copy of itself. */
export const MARK_MUTANTS: readonly Mutant[] = [
  {
    name: 'a payment is accepted under an id that was given out before',
    law: 2,
    file: 'src/core/request/accept.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it stands so in the code
    changes: [{ find: '(SELECT min(id) FROM drawn) > ${options.above}', replace: 'true' }],
    killedBy: { file: GUARD, test: 'nor when sequences are set back under connections that stay' },
  },
  {
    name: 'ids are answered before a ceiling above them is on the disk',
    law: 2,
    file: 'src/database/mark/number-guard.ts',
    changes: [
      {
        find: 'if (newest > (keeper.written()?.ceilings[PAYMENT_IDS] ?? 0n)) await keeper.flush()',
        replace: 'keeper.written()',
      },
    ],
    killedBy: { file: MARKS, test: 'no payment is answered before a ceiling above it is on the disk' },
  },
  {
    name: 'another server, timeline or database is taken for the one of before',
    law: 2,
    file: 'src/database/mark/mark.ts',
    changes: [{ find: 'return isElsewhere || fallsBelow(', replace: 'return fallsBelow(' }],
    killedBy: {
      file: GUARD,
      test: 'a replica that gives out nothing, and had seen nothing of what was lost',
    },
  },
  {
    name: 'a new connection is used before it was looked at',
    law: 2,
    file: 'src/database/lend-connections.ts',
    changes: [{ find: 'await options.look?.(', replace: 'void (async () => undefined)(' }],
    killedBy: {
      file: GUARD,
      test: 'a replica that gives out nothing, and had seen nothing of what was lost',
    },
  },
  {
    name: 'a lost payment whose number was skipped is not missed',
    law: 1,
    file: 'src/database/mark/mark.ts',
    changes: [{ find: '(fell.length > 0 || !found.hasWitness)', replace: 'fell.length > 0' }],
    killedBy: { file: GUARD, test: 'one that lost a payment whose number its sequence skipped is noticed' },
  },
  {
    name: 'sequences are set back by whoever raises them last',
    law: 2,
    file: 'src/database/migrations/014-epochs.ts',
    changes: [{ find: 'IF reached < lowest THEN', replace: 'IF true THEN' }],
    killedBy: { file: MARKS, test: 'are raised beside those who draw from them' },
  },
  {
    name: 'what was committed just before an outage is not written while it lasts',
    law: 1,
    file: 'src/database/mark/follow.ts',
    changes: [{ find: 'await guard.flush()\n      return false', replace: 'return false' }],
    killedBy: { file: MARKS, test: 'what was committed just before an outage is on the disk soon' },
  },
  {
    name: 'a process that ends in order leaves a mark that is a second behind',
    law: 1,
    file: 'src/database/mark/follow.ts',
    changes: [{ find: 'await guard.flush()\n      await looked', replace: 'await looked' }],
    killedBy: { file: MARKS, test: 'who stops in order leaves all that was committed' },
  },
  {
    name: 'a mark is lost when another process removes it unfinished',
    law: 2,
    file: 'src/database/mark/mark-files.ts',
    changes: [
      {
        find: 'while (!(await renameIfThere(path + UNFINISHED, path)))',
        replace: 'while (!(await renameIfThere(path + UNFINISHED, path)) && false)',
      },
    ],
    killedBy: {
      file: 'test/database/mark/mark-files.test.ts',
      test: 'processes that start beside one that writes take no mark from it before it is whole',
    },
  },
]
