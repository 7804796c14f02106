import type { Mutant } from './mutant.ts'

/** What breaks the laws of its delivery. */
export const DELIVERY_MUTANTS: readonly Mutant[] = [
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
    name: 'a second outcome is delivered under the webhook-id of the first',
    law: 6,
    file: 'src/core/outbox/enqueue.ts',
    changes: [{ find: "concat('msg_', id, '_', state)", replace: "concat('msg_', id)" }],
    killedBy: {
      file: 'test/core/settle/life-of-a-payment.test.ts',
      test: 'that fails and then succeeds: two deliveries, each under its own webhook-id',
    },
  },
  {
    name: 'what JetStream lost is not published again',
    law: 6,
    file: 'src/core/outbox/publish.ts',
    changes: [
      {
        find: 'publish_at = now() + make_interval(secs => ${SWEEP_SECONDS})',
        replace: "publish_at = 'infinity'",
      },
    ],
    killedBy: { file: 'test/core/outbox/publish.test.ts', test: 'publishes again, under the next number' },
  },
  {
    name: 'a delivery whose process died before it published it is left to JetStream',
    law: 6,
    file: 'src/core/outbox/enqueue.ts',
    changes: [
      {
        find: 'now() + make_interval(secs => ${isPublished ? SWEEP_SECONDS : 0})',
        replace: "CASE WHEN ${isPublished}::boolean THEN 'infinity' ELSE now() END",
      },
    ],
    killedBy: {
      file: 'test/core/callback/interpret-at-once.test.ts',
      test: 'has its delivery published out of memory, and again where that was lost',
    },
  },
  {
    name: 'a message is acknowledged once the first of its deliveries has been dealt with',
    law: 6,
    file: 'src/queue/delivery-queue.ts',
    changes: [{ find: 'if (left > 0) return', replace: '' }],
    killedBy: {
      file: 'test/queue/delivery-queue.test.ts',
      test: 'keeps each until all of it is dealt with',
    },
  },
  {
    name: 'what JetStream did not confirm counts as published',
    law: 6,
    file: 'src/core/outbox/publish.ts',
    changes: [{ find: 'await markUnpublished(database, recording)', replace: '' }],
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
        find: 'SET leased_until = now() + make_interval(secs => ${LEASE_SECONDS}), held_at',
        replace: 'SET leased_until = now(), held_at',
      },
    ],
    killedBy: {
      file: 'test/dispatcher/deliver/attempts.test.ts',
      test: 'writes the attempt down as started and leases the delivery',
    },
  },
  {
    name: 'an answer that is no 2xx counts as delivered',
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
      file: 'test/dispatcher/endpoints/release.test.ts',
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
      file: 'test/dispatcher/endpoints/record-outcomes.test.ts',
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
]
