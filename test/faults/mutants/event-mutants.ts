import type { Mutant } from './mutant.ts'

/** Watchers of payments, who miss no change and see each once, in order. */
export const EVENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'a reader of events goes beyond what is still open',
    law: 6,
    file: 'src/core/events/read-events.ts',
    changes: [
      {
        find: 'FROM payment_history WHERE ${moves} AND event_position < event_horizon()',
        replace: 'FROM payment_history WHERE ${moves}',
      },
    ],
    killedBy: {
      file: 'test/core/events/order.test.ts',
      test: 'misses none that commits after one with a later number',
    },
  },
  {
    name: 'an event stands at the number of its transaction, whatever stands before it',
    law: 4,
    file: 'src/core/payments/move.ts',
    changes: [
      {
        find: 'greatest(payments.event_position, payments.accepted_position, current_event_position())',
        replace: 'current_event_position()',
      },
    ],
    killedBy: { file: 'test/core/events/order.test.ts', test: 'sees the moves of a payment in their order' },
  },
  {
    name: 'a watcher that fell behind goes on with what is kept',
    law: 6,
    file: 'src/core/events/tail.ts',
    changes: [{ find: "?? 'behind'", replace: "?? batches[0] ?? 'behind'" }],
    killedBy: {
      file: 'test/core/events/watch.test.ts',
      test: 'reads what it missed where it is slower than what is kept',
    },
  },
]
