import { CLOCK_MUTANTS } from './clock-mutants.ts'
import { DARAJA_MUTANTS } from './daraja-mutants.ts'
import { EDGE_MUTANTS } from './edge-mutants.ts'
import { EVIDENCE_MUTANTS } from './evidence-mutants.ts'
import { HISTORY_MUTANTS } from './history-mutants.ts'
import { MARK_MUTANTS } from './mark-mutants.ts'
import type { Mutant } from './mutant.ts'
import { NETWORK_MUTANTS } from './network-mutants.ts'
import { OPERATOR_MUTANTS } from './operator-mutants.ts'
import { OUTAGE_MUTANTS } from './outage-mutants.ts'
import { SCHEMA_MUTANTS } from './schema-mutants.ts'
import { SPOOL_MUTANTS } from './spool-mutants.ts'

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

/** What breaks the laws themselves; `npm test` tries the first of each. */
export const LAW_MUTANTS: readonly Mutant[] = [
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
          "moved AS (UPDATE payments SET state = 'submitting' FROM locked WHERE payments.id = locked.id RETURNING payments.id, msisdn, amount_kes, reference, callback_nonce), leased AS (",
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
        find: 'clock_timestamp()\n      FROM moved',
        replace: 'clock_timestamp()\n      FROM moved WHERE false',
      },
    ],
    killedBy: {
      file: 'test/core/submit/record-pushes.test.ts',
      test: 'that is repeated after somebody else took the payment does not bring it back',
    },
  },
  {
    name: 'a move leaves no history',
    law: 4,
    file: 'src/core/payments/history.ts',
    changes: [{ find: 'if (moves.length === 0) return', replace: 'if (moves.length >= 0) return' }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that is paid: every step leaves its trace',
    },
  },
  {
    name: 'an outcome is settled without its delivery',
    law: 5,
    file: 'src/core/outbox/enqueue.ts',
    changes: [{ find: 'if (settled.length === 0) return', replace: 'if (settled.length >= 0) return' }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that is paid: every step leaves its trace',
    },
  },
  {
    name: 'every attempt has a webhook-id of its own',
    law: 6,
    file: 'src/dispatcher/deliver/deliver.ts',
    changes: [
      {
        find: "'webhook-id': claim.webhook_id",
        replace: "'webhook-id': `${claim.webhook_id}_${claim.attempts}`",
      },
    ],
    killedBy: {
      file: 'test/dispatcher/dispatcher.test.ts',
      test: 'is repeated after a failure under the same webhook-id',
    },
  },
  {
    name: 'a second outcome is told under the webhook-id of the first',
    law: 6,
    file: 'src/core/outbox/enqueue.ts',
    changes: [{ find: '`msg_${payment.id}_${payment.state}`', replace: '`msg_${payment.id}`' }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that fails and then succeeds: two deliveries, each under its own webhook-id',
    },
  },
  {
    name: 'what JetStream lost is not told again',
    law: 6,
    file: 'src/core/outbox/publish.ts',
    changes: [
      {
        find: 'publish_at = now() + make_interval(secs => ${SWEEP_SECONDS})',
        replace: "publish_at = 'infinity'",
      },
    ],
    killedBy: { file: 'test/core/outbox/publish.test.ts', test: 'tells again, under the next number' },
  },
  {
    name: 'what JetStream did not confirm counts as told',
    law: 6,
    file: 'src/core/outbox/publish.ts',
    changes: [{ find: 'await markUnpublished(database, unsure)', replace: '' }],
    killedBy: {
      file: 'test/core/outbox/publish.test.ts',
      test: 'tries again what JetStream did not confirm, with the next number',
    },
  },
  {
    name: 'a delivery is attempted without a lease',
    law: 6,
    file: 'src/dispatcher/deliver/attempts.ts',
    changes: [
      {
        find: 'THEN now() + make_interval(secs => ${LEASE_SECONDS}) ELSE',
        replace: 'THEN now() ELSE',
      },
    ],
    killedBy: {
      file: 'test/dispatcher/deliver/attempts.test.ts',
      test: 'writes the attempt down as started and leases the delivery',
    },
  },
  {
    name: 'an answer that is no 2xx counts as told',
    law: 6,
    file: 'src/dispatcher/deliver/post.ts',
    changes: [
      {
        find: 'exchange.status === null ? null : classifyStatus(exchange.status)',
        replace:
          'exchange.status === null || exchange.status >= 500 ? null : classifyStatus(exchange.status)',
      },
    ],
    killedBy: { file: 'test/dispatcher/deliver/post.test.ts', test: 'counts 500 as failure' },
  },
  {
    name: 'a body is changed after it was signed',
    law: 6,
    file: 'src/dispatcher/deliver/deliver.ts',
    changes: [{ find: 'body: claim.body,', replace: 'body: `${claim.body}\\n`,' }],
    killedBy: {
      file: 'test/dispatcher/deliver/sign.test.ts',
      test: 'is verified by standardwebhooks with the secret that its partner was shown',
    },
  },
  {
    name: 'what is held for an endpoint is never let go',
    law: 6,
    file: 'src/dispatcher/endpoints/release.ts',
    changes: [
      {
        find: 'AND held_at IS NOT NULL AND due_at <= now()\n      ORDER BY due_at',
        replace: 'AND held_at IS NOT NULL AND false\n      ORDER BY due_at',
      },
    ],
    killedBy: {
      file: 'test/dispatcher/endpoints/endpoints.test.ts',
      test: 'gets what was held at a rate that doubles each second',
    },
  },
  {
    name: 'an endpoint may have every place',
    law: 7,
    file: 'src/dispatcher/deliver/fair-queue.ts',
    changes: [
      {
        find: 'endpoint.startedMs.length < endpointConcurrency &&\n    endpoint.partner.running < Math.ceil(concurrency * PARTNER_SLOTS) &&',
        replace: '',
      },
    ],
    killedBy: {
      file: 'test/laws/7-one-partners-trouble-is-its-own.test.ts',
      test: 'delays nobody together with others of the same partner',
    },
  },
  {
    name: 'an endpoint that is down is asked by everything that is due to it',
    law: 7,
    file: 'src/dispatcher/deliver/attempts.ts',
    changes: [
      {
        find: "OR endpoints.state = 'half_open' AND",
        replace: "OR endpoints.state IN ('open', 'half_open') OR",
      },
    ],
    killedBy: {
      file: 'test/dispatcher/endpoints/endpoints.test.ts',
      test: 'has what is due held, without an attempt, and nobody else’s',
    },
  },
  {
    name: 'an attempt may take for ever',
    law: 7,
    file: 'src/dispatcher/deliver/post.ts',
    changes: [{ find: 'timer = setTimeout(expire, leftMs, "answer\'s body")', replace: 'void leftMs' }],
    killedBy: { file: 'test/dispatcher/deliver/post.test.ts', test: 'times out when a body drips for ever' },
  },
  {
    name: 'a partner sees the payments of others',
    law: 8,
    file: 'src/core/payments/find.ts',
    changes: [
      {
        find: "owner === 'anybody' ? query : query.where('partner_id', '=', owner.partnerId)",
        replace: 'query',
      },
    ],
    killedBy: {
      file: 'test/contract/transactions.test.ts',
      test: 'that nobody has, and a stranger’s, are the same 404',
    },
  },
  {
    name: 'a mistyped key is looked up',
    law: 8,
    file: 'src/core/partners/secret-check.ts',
    changes: [
      { find: 'if (!isWellFormedSecret(options.prefix, secret)) return wrong(address)', replace: '' },
    ],
    killedBy: {
      file: 'test/core/partners/authenticate.test.ts',
      test: 'a key whose checksum is wrong costs no query',
    },
  },
  {
    name: 'a revoked key is remembered as a good one',
    law: 8,
    file: 'src/core/partners/secret-check.ts',
    changes: [{ find: 'const REMEMBERED_MS = 4_000', replace: 'const REMEMBERED_MS = 40_000' }],
    killedBy: {
      file: 'test/core/partners/authenticate.test.ts',
      test: 'a revoked key and a disabled partner are refused within five seconds by every replica',
    },
  },
  {
    name: 'a sealed secret opens for any row',
    law: 8,
    file: 'src/runtime/seal.ts',
    changes: [{ find: '`${VERSION}.${keyId}.${identity}`', replace: '`${VERSION}.${keyId}`' }],
    killedBy: { file: 'test/runtime/seal.test.ts', test: 'does not open for another row or column' },
  },
  {
    name: 'nothing masks what is said',
    law: 8,
    file: 'src/runtime/redact.ts',
    changes: [
      { find: 'const masked = text.replace(sensitive,', replace: 'const masked = text.replace(/(?!)/g,' },
    ],
    killedBy: { file: 'test/runtime/redact.test.ts', test: 'shows a payer’s number in no field whole' },
  },
  {
    name: 'logs show whole numbers',
    law: 8,
    file: 'src/values/msisdn.ts',
    changes: [{ find: '`${msisdn.slice(0, 4)}*****${msisdn.slice(-3)}`', replace: 'msisdn' }],
    killedBy: { file: 'test/values/values.test.ts', test: 'is masked for logs' },
  },
]

/** Those and what breaks every other promise; `npm run test:mutants` tries all. */
export const ALL_MUTANTS: readonly Mutant[] = [
  ...LAW_MUTANTS,
  ...SPOOL_MUTANTS,
  ...NETWORK_MUTANTS,
  ...HISTORY_MUTANTS,
  ...CLOCK_MUTANTS,
  ...MARK_MUTANTS,
  ...EDGE_MUTANTS,
  ...DARAJA_MUTANTS,
  ...OUTAGE_MUTANTS,
  ...EVIDENCE_MUTANTS,
  ...OPERATOR_MUTANTS,
  ...SCHEMA_MUTANTS,
]
