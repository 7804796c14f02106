import type { Mutant } from './mutant.ts'

/** Resolves with what is written in a transaction, and commits a moment later: what a gateway would do that answers too soon. */
const BEFORE_COMMIT = `
const beforeCommit = (database, write) =>
  new Promise((resolve, reject) => {
    const late = async (transaction) => {
      resolve(await write(transaction))
      const lateMs = 2_000
      await new Promise((wake) => setTimeout(wake, lateMs))
    }
    database.transaction().execute(late).catch(reject)
  })
`

/** What breaks the laws of a payment’s way until it is settled. */
export const PAYMENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'an answer goes out before the commit',
    law: 1,
    file: 'src/core/request/accept.ts',
    changes: [
      {
        find: 'const { rows } = await sql<{ id: bigint; position: bigint; is_new: boolean }>`',
        replace:
          'const { rows } = await beforeCommit(options.database, (database) => sql<{ id: bigint; position: bigint; is_new: boolean }>`',
      },
      {
        find: "`.execute(options.database)\n  crashPoint('accept.after_commit')",
        replace: "`.execute(database))\n  crashPoint('accept.after_commit')",
      },
      { find: 'export const toEntry =', replace: `${BEFORE_COMMIT}\nexport const toEntry =` },
    ],
    killedBy: {
      file: 'test/laws/1-an-answered-payment-exists.test.ts',
      test: 'after a kill -9 of Postgres at the moment of the answer',
    },
  },
  {
    name: 'commits are not durable when they are answered',
    law: 1,
    file: 'src/database/connect.ts',
    changes: [{ find: "synchronous_commit: 'on'", replace: "synchronous_commit: 'off'" }],
    killedBy: {
      file: 'test/laws/1-an-answered-payment-exists.test.ts',
      test: 'after a kill -9 of Postgres at the moment of the answer',
    },
  },
  {
    name: 'a payment is cancelled by what was seen of it while it was being taken, and its payer prompted',
    law: 2,
    file: 'src/core/settle/cancel-payment.ts',
    changes: [{ find: '\n    .forNoKeyUpdate()', replace: '' }],
    killedBy: {
      file: 'test/core/settle/cancel-payment.test.ts',
      test: 'is pushed and not cancelled when the take came first, though its commit did not',
    },
  },
  {
    name: 'a payment whose push is under way is cancelled, and its payer prompted',
    law: 2,
    file: 'src/core/settle/cancel-payment.ts',
    changes: [
      {
        find: "if (state === 'accepted') return null",
        replace: "if (state === 'accepted' || state === 'submitting') return null",
      },
    ],
    killedBy: {
      file: 'test/core/settle/cancel-payment.test.ts',
      test: 'is either cancelled or pushed, and never both or neither, however many meet',
    },
  },
  {
    name: 'the index of idempotency keys is ignored',
    law: 2,
    file: 'src/core/request/accept.ts',
    changes: [
      {
        find: 'WHERE key_hash IS NULL OR id IN (SELECT payment_id FROM keyed)',
        replace: 'WHERE key_hash IS NULL OR id IN (SELECT payment_id FROM keyed) OR true',
      },
    ],
    killedBy: {
      file: 'test/core/request/accept.test.ts',
      test: 'makes one payment of a key however many ask at once',
    },
  },
  {
    name: 'the push goes out before `submitting` is committed',
    law: 2,
    file: 'src/core/submit/take-due-payments.ts',
    changes: [
      {
        find: 'const { rows } = await sql<FoundRow>`',
        replace: 'const { rows } = await beforeCommit(options.database, (database) => sql<FoundRow>`',
      },
      {
        find: "`.execute(options.database)\n  crashPoint('take.after_commit'",
        replace: "`.execute(database))\n  crashPoint('take.after_commit'",
      },
      { find: 'export const takeDuePayments =', replace: `${BEFORE_COMMIT}\nexport const takeDuePayments =` },
    ],
    killedBy: {
      file: 'test/laws/2-nobody-is-prompted-twice.test.ts',
      test: 'for all to see, before the first byte goes to Daraja',
    },
  },
  {
    name: 'a payment whose submitter is gone is pushed again',
    law: 2,
    file: 'src/core/submit/take-due-payments.ts',
    changes: [
      { find: "state = 'accepted' AND", replace: "state IN ('accepted', 'submitting') AND" },
      {
        find: '${MOVED}, leased AS (',
        replace:
          "moved AS (UPDATE payments SET state = 'submitting' FROM locked WHERE payments.id = locked.id RETURNING payments.id, msisdn, amount_kes, reference, callback_nonce, locked.takes), leased AS (",
      },
    ],
    killedBy: {
      file: 'test/core/submit/record-pushes.test.ts',
      test: 'that never came leaves an orphan: unconfirmed, to be confirmed, never pushed again',
    },
  },
  {
    name: 'the spool acknowledges without an fsync',
    law: 3,
    file: 'src/core/callback/spool-files.ts',
    changes: [
      {
        find: "await handle.sync()\n  crashPoint('spool.after_sync'",
        replace: "crashPoint('spool.after_sync'",
      },
    ],
    killedBy: { file: 'test/core/callback/spool.test.ts', test: 'acknowledges after an fsync of the file' },
  },
  {
    name: 'a callback is acknowledged before it is durable',
    law: 3,
    file: 'src/core/services/daraja-callback-service.ts',
    changes: [{ find: 'await keep(parts, callback)', replace: 'void keep(parts, callback)' }],
    killedBy: {
      file: 'test/laws/3-raw-first.test.ts',
      test: 'or, when Postgres does not take them, on the disk',
    },
  },
  {
    name: 'the guard of a move is dropped',
    law: 4,
    file: 'src/core/payments/move.ts',
    changes: [
      {
        find: 'WHERE payments.id = given.id AND payments.state = given.from_state',
        replace: 'WHERE payments.id = given.id',
      },
    ],
    killedBy: { file: 'test/core/submit/record-pushes.test.ts', test: 'may be repeated, whatever it says' },
  },
  {
    name: 'the guard of a stage that is one statement is dropped',
    law: 4,
    file: 'src/core/payments/move.ts',
    changes: [
      {
        find: 'WHERE payments.id = locked.id AND payments.state = ${sql.lit(from)}',
        replace: 'WHERE payments.id = locked.id',
      },
    ],
    killedBy: { file: 'test/core/submit/record-pushes.test.ts', test: 'may be repeated, whatever it says' },
  },
  {
    name: 'a stage that is one statement leaves no history',
    law: 4,
    file: 'src/core/payments/move.ts',
    changes: [
      {
        find: 'event_position, event_number\n      FROM moved',
        replace: 'event_position, event_number\n      FROM moved WHERE false',
      },
    ],
    killedBy: {
      file: 'test/core/submit/record-pushes.test.ts',
      test: 'that is repeated after somebody else took the payment does not bring it back',
    },
  },
  {
    name: 'an outcome leaves no history',
    law: 4,
    file: 'src/core/settle/write-outcomes.ts',
    changes: [{ find: 'FROM moved WHERE cause IS NOT NULL', replace: 'FROM moved WHERE cause IS NULL' }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that is paid: every step leaves its trace',
    },
  },
  {
    name: 'a payment is taken, and its push recorded, without history',
    law: 4,
    file: 'src/core/payments/move.ts',
    changes: [{ find: '      FROM moved\n    )', replace: '      FROM moved WHERE false\n    )' }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that is paid: every step leaves its trace',
    },
  },
  {
    name: 'another move leaves no history',
    law: 4,
    file: 'src/core/payments/move.ts',
    changes: [
      {
        find: 'event_position, event_number FROM moved',
        replace: 'event_position, event_number FROM moved WHERE false',
      },
    ],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'whose payer has another prompt open until its deadline',
    },
  },
  {
    name: 'what is put back behind the last look is not looked for again',
    law: 6,
    file: 'src/database/look-back.ts',
    changes: [
      {
        find: 'if (cameTo === null || atMs - fromBeginningAtMs >= pauseMsOf(cameTo)) {',
        replace: 'if (cameTo === null) {',
      },
    ],
    killedBy: { file: 'test/core/payments/late-duties.test.ts', test: 'a duty of to_submit' },
  },
  {
    name: 'accounts with negative ids are not looked for',
    law: 6,
    file: 'src/core/payments/due-accounts.ts',
    changes: [{ find: 'const LEAST_ID = -(2n ** 63n)', replace: 'const LEAST_ID = -1n' }],
    killedBy: { file: 'test/core/payments/late-duties.test.ts', test: 'a duty of to_submit' },
  },
  {
    name: 'an outcome is settled without its delivery',
    law: 5,
    file: 'src/core/outbox/enqueue.ts',
    changes: [{ find: 'FROM moved WHERE body IS NOT NULL', replace: 'FROM moved WHERE body IS NULL' }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that is paid: every step leaves its trace',
    },
  },
]
