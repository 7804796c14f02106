import type { Mutant } from './mutant.ts'

const PLAY = 'test/core/overload/overload.test.ts'

/** What refuses too much, too little, or the wrong partner while more is asked for than can be pushed. */
export const OVERLOAD_MUTANTS: readonly Mutant[] = [
  {
    name: 'one partner’s flood has others’ payments refused',
    law: 7,
    file: 'src/core/overload/fair-shares.ts',
    changes: [
      { find: 'shares.get(partnerId)', replace: 'shares.get(0n)' },
      { find: 'shares.set(partnerId, share)', replace: 'shares.set(0n, share)' },
    ],
    killedBy: { file: PLAY, test: 'one partner’s flood is its own' },
  },
  {
    name: 'a slow account has payments refused that go through another',
    law: 7,
    file: 'src/core/overload/overload.ts',
    changes: [
      { find: 'loadOf(accountId).ask(partnerId)', replace: 'loadOf(0n * accountId).ask(partnerId)' },
      { find: 'waits.get(accountId) ?? NOTHING', replace: '[...waits.values()][0] ?? NOTHING' },
      { find: 'loadOf(accountId).accepted()', replace: 'loadOf(0n * accountId).accepted()' },
    ],
    killedBy: { file: PLAY, test: 'an account that is slow has no payments refused that go through another' },
  },
  {
    name: 'everything is accepted, and waits',
    law: 7,
    file: 'src/core/overload/overload.ts',
    changes: [{ find: 'tooMuchForMs >= BEGINS_AFTER_MS', replace: 'tooMuchForMs > 1e9' }],
    killedBy: { file: PLAY, test: 'is pushed at its full pace while 5 times as much is asked for' },
  },
  {
    name: 'all is refused until nothing waits any more',
    law: 7,
    file: 'src/core/overload/overload.ts',
    changes: [{ find: 'fits * Math.max(LEAST, 1 + AIM - load)', replace: 'load < OVER ? fits : 0' }],
    killedBy: { file: PLAY, test: 'one partner’s flood is its own' },
  },
  {
    name: 'a hold of a few seconds has payments refused',
    law: 7,
    file: 'src/core/overload/overload.ts',
    changes: [{ find: 'isHeld ? Math.max(afterMs, submitTtlMs * HELD) : afterMs', replace: 'afterMs' }],
    killedBy: { file: PLAY, test: 'for as long as it does in a row, nothing is refused' },
  },
  {
    name: 'a key that is known is refused while there is too much to do',
    law: 2,
    file: 'src/core/services/accept-payment.ts',
    changes: [{ find: 'if (known !== null) return known', replace: 'void known' }],
    killedBy: {
      file: 'test/facade/overload.test.ts',
      test: 'answers who asks with a known key as ever',
    },
  },
]
