import type { Mutant } from './mutant.ts'

const IN_CALM = {
  file: 'test/faults/histories/histories.test.ts',
  test: 'keeps every promise in calm',
}

const FIND = 'src/core/payments/find.ts'
const LIST = 'src/core/payments/list.ts'
const ACCEPT = 'src/core/request/accept.ts'

/** Keeps what a read found for five seconds: what a gateway would do that reads from a cache, or from a replica that lags. */
const READ_AGO = `
const readAgo = new Map()
const remember = async (id, read) => {
  const known = readAgo.get(id) ?? { atMs: Number.NEGATIVE_INFINITY }
  if (performance.now() - known.atMs < 5_000) return known.row
  const row = await read()
  readAgo.set(id, { atMs: performance.now(), row })
  return row
}
`

/** One promise of the public API broken each, which only a history of several clients shows. */
export const HISTORY_MUTANTS: readonly Mutant[] = [
  {
    name: 'a key makes a payment each time',
    law: 2,
    file: ACCEPT,
    changes: [
      {
        find: 'WHERE key_hash IS NULL OR id IN (SELECT payment_id FROM keyed)',
        replace: 'WHERE key_hash IS NULL OR id IN (SELECT payment_id FROM keyed) OR true',
      },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'another body under a known key is a duplicate',
    law: 2,
    file: ACCEPT,
    changes: [
      { find: "holder.fingerprint.equals(entry.fingerprint) ? 'duplicate'", replace: "holder ? 'duplicate'" },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'a duplicate is answered with the id of another payment',
    law: 2,
    file: ACCEPT,
    changes: [
      {
        find: 'return { kind, paymentId: holder.payment_id }',
        replace: 'return { kind, paymentId: holder.payment_id - 1n }',
      },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'ids do not grow from one connection to another',
    law: 1,
    file: ACCEPT,
    changes: [
      {
        find: "SELECT nextval('payments_id_seq') AS id,",
        replace: "SELECT nextval('payments_id_seq') + 100000 * (pg_backend_pid() % 50) AS id,",
      },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'a read is from a while ago',
    law: 4,
    file: FIND,
    changes: [
      {
        find: 'return owned.executeTakeFirst()',
        replace: 'return remember(paymentId, () => owned.executeTakeFirst())',
      },
      { find: '/** One payment; undefined', replace: `${READ_AGO}\n/** One payment; undefined` },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'an answer is out before its payment can be read',
    law: 1,
    file: FIND,
    changes: [
      {
        find: ".where('id', '=', paymentId)\n  const",
        replace:
          ".where('id', '=', paymentId).where('created_at', '<', sql`now() - interval '200 ms'`)\n  const",
      },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'a page skips the first payment behind the one before',
    law: 1,
    file: LIST,
    changes: [{ find: ', before ?? NO_ID_YET]', replace: ', (before ?? NO_ID_YET) - 1n]' }],
    killedBy: IN_CALM,
  },
  {
    name: 'a page begins with the last payment of the one before',
    law: 1,
    file: 'src/core/payments/list-in-order.ts',
    changes: [
      { find: '(payments.partner_id, payments.id) < (', replace: '(payments.partner_id, payments.id) <= (' },
    ],
    killedBy: IN_CALM,
  },
  {
    name: 'a payment is read with another amount than was asked for',
    law: 1,
    file: 'src/facade/transactions/transaction.ts',
    changes: [{ find: 'amount: payment.amountKes,', replace: 'amount: payment.amountKes + 1,' }],
    killedBy: IN_CALM,
  },
  {
    name: 'a payment is read by whoever knows its id',
    law: 8,
    file: FIND,
    changes: [
      {
        find: "typeof owner === 'string' ? query : query.where('partner_id', '=', owner.partnerId)\n  return owned.executeTakeFirst()",
        replace: "owner === 'anybody' ? query : query\n  return owned.executeTakeFirst()",
      },
    ],
    killedBy: IN_CALM,
  },
]
