import type { Mutant } from './mutant.ts'

const KILLED_IN = 'test/core/signals/signal.test.ts'

/** What operators are told by signals: once each, what lasts, and nothing of a payer. */
export const SIGNAL_MUTANTS: readonly Mutant[] = [
  {
    name: 'dead deliveries are not marked as told',
    law: 6,
    file: 'src/core/signals/take-news.ts',
    changes: [
      { find: 'UPDATE dead_letters SET told_at = now()', replace: 'UPDATE dead_letters SET told_at = NULL' },
    ],
    killedBy: { file: KILLED_IN, test: 'are told once, counted by endpoint and error' },
  },
  {
    name: 'the death of a test payment’s delivery is told',
    law: 6,
    file: 'src/core/signals/take-news.ts',
    changes: [{ find: 'WHERE told_at IS NULL AND partner_id > 0', replace: 'WHERE told_at IS NULL' }],
    killedBy: { file: KILLED_IN, test: 'are no news when an operator cancelled them' },
  },
  {
    name: 'what an operator cancelled is told as dead',
    law: 6,
    file: 'src/core/signals/take-news.ts',
    changes: [{ find: "WHERE state = 'dead'\n", replace: 'WHERE true\n' }],
    killedBy: { file: KILLED_IN, test: 'are no news when an operator cancelled them' },
  },
  {
    name: 'an endpoint is told down at once',
    law: 7,
    file: 'src/core/signals/conditions.ts',
    changes: [
      {
        find: 'make_interval(secs => ${raiseAfterMs / 1000})',
        replace: 'make_interval(secs => ${raiseAfterMs * 0})',
      },
    ],
    killedBy: { file: KILLED_IN, test: 'is not told when it is down for a moment' },
  },
  {
    name: 'an endpoint that comes and goes is told back each time',
    law: 7,
    file: 'src/core/signals/conditions.ts',
    changes: [
      {
        find: 'ended_at <= now() - make_interval(secs => ${clearAfterMs / 1000})\n      RETURNING',
        replace: 'ended_at <= now() - make_interval(secs => ${clearAfterMs * 0})\n      RETURNING',
      },
    ],
    killedBy: { file: KILLED_IN, test: 'that comes and goes is told down once' },
  },
  {
    name: 'a signal tells the detail of a finding',
    law: 8,
    file: 'src/core/signals/take-news.ts',
    changes: [
      {
        find: 'RETURNING payment_id, kind, at\n',
        replace: 'RETURNING payment_id, kind || detail::text AS kind, at\n',
      },
    ],
    killedBy: { file: KILLED_IN, test: 'findings are told without their detail' },
  },
]
