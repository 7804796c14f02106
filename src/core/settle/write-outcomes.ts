import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import type { Due } from '../../queue/delivery-stream.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { endpointHost } from '../../values/endpoint.ts'
import { enqueue, renderBody } from '../outbox/enqueue.ts'
import { EVENT, NEXT_POSITION } from '../payments/move.ts'
import type { Change } from './decide.ts'

// The one place where an outcome is written: the payment, its history, the end of its duties, and its delivery, all in
// one statement. Whoever calls has decided the changes; here they are held against the rows as they are.

/**
 * Writes changes of payments that the transaction has locked, in the order given. Throws when a payment is not in the
 * state any more that its change was decided on (law 4).
 */
export const writeLocked = async (
  transaction: Transaction<Schema>,
  changes: readonly Change[],
): Promise<void> => {
  for (const some of oneForEachPayment(changes)) {
    const { rows } = await sql<RowOf<'payments', 'id'>>`
      WITH moved AS (
        UPDATE payments SET ${OUTCOME} FROM ${givenRows(some, CHANGED)}
        WHERE payments.id = given.id AND payments.state = given.from_state
        RETURNING ${MOVED}
      ), ${whatFollows({ isPublished: false })}
      SELECT id FROM moved
    `.execute(transaction)
    if (rows.length !== some.length) throw new Error('a payment changed while it was locked')
  }
}

/** A statement changes a row once: the first change of each payment, then the second of those that have one, and on. */
const oneForEachPayment = (changes: readonly Change[]): Change[][] => {
  const parts: Change[][] = []
  const counts = new Map<bigint, number>()
  for (const change of changes) {
    const count = counts.get(change.row.id) ?? 0
    counts.set(change.row.id, count + 1)
    const part = parts[count]
    if (part === undefined) parts.push([change])
    else part.push(change)
  }
  return parts
}

/** A change decided by a callback and by a row that nobody has locked since. */
export type UnlockedChange = Change & {
  callbackId: string
  /** Which version of the row it was decided on. */
  version: string
}

/**
 * Writes the changes of payments whose row still is the very one that was read, whose receipt is nobody's yet and whose
 * callback nobody else has in hand or has interpreted; the duties of these callbacks end. Resolves with the deliveries
 * of the payments that were changed, by the ids of these; of the others nothing is written. One change a payment. The
 * duties are taken first, then the payments in the order of their ids, then the receipts in their order: as `settle`
 * does, so that nobody waits for each other. With `isPublished` the caller has to publish the deliveries.
 */
export const writeUnlocked = async (
  database: Database,
  changes: readonly UnlockedChange[],
  { isPublished }: { isPublished: boolean },
): Promise<Map<bigint, Due>> => {
  crashPoint('settle_unlocked.before_commit', changes.length)
  const { rows } = await sql<Due & RowOf<'deliveries', 'payment_id'>>`
    WITH taken AS (
      SELECT callback_id FROM to_interpret
      WHERE callback_id = ${anyOf(
        'to_interpret.callback_id',
        changes.map(({ callbackId }) => callbackId),
      )}
      FOR UPDATE SKIP LOCKED
    ), held AS (
      SELECT given.* FROM ${givenRows(changes, CHANGED_UNLOCKED)} JOIN payments ON payments.id = given.id
      WHERE payments.xmin = given.version AND given.callback_id = ANY (ARRAY(SELECT callback_id FROM taken))
      ORDER BY payments.id FOR NO KEY UPDATE OF payments
    ), entered AS (
      INSERT INTO receipts (receipt, payment_id)
      SELECT receipt, id FROM held WHERE receipt IS NOT NULL ORDER BY receipt
      ON CONFLICT (receipt) DO NOTHING
      RETURNING payment_id
    ), moved AS (
      UPDATE payments SET ${OUTCOME} FROM held AS given
      WHERE payments.id = given.id AND payments.state = given.from_state
        AND (given.receipt IS NULL OR given.id = ANY (ARRAY(SELECT payment_id FROM entered)))
      RETURNING ${MOVED}, given.callback_id
    ), interpreted AS (
      DELETE FROM to_interpret WHERE callback_id = ANY (ARRAY(SELECT callback_id FROM moved))
    ), ${whatFollows({ isPublished })}
    SELECT payment_id, id AS delivery_id, partner_id, host, ${isPublished ? 1 : 0}::integer AS publish_number FROM added
  `.execute(database)
  crashPoint('settle_unlocked.after_commit', rows.length)
  return new Map(rows.map(({ payment_id, ...due }) => [payment_id, due]))
}

const CHANGED = {
  id: ['payments.id', ({ row }: Change) => row.id],
  from_state: ['payments.state', ({ from }: Change) => from],
  state: ['payments.state', ({ row }: Change) => row.state],
  merchant_request_id: ['payments.merchant_request_id', ({ row }: Change) => row.merchant_request_id],
  checkout_request_id: ['payments.checkout_request_id', ({ row }: Change) => row.checkout_request_id],
  result_code: ['payments.result_code', ({ row }: Change) => row.result_code],
  result_desc: ['payments.result_desc', ({ row }: Change) => row.result_desc],
  receipt: ['payments.receipt', ({ row }: Change) => row.receipt],
  transaction_date: ['payments.transaction_date', ({ row }: Change) => row.transaction_date],
  // Null, like the host and the body, where the payment does not move.
  cause: ['text', ({ settled }: Change) => settled?.move.cause ?? null],
  detail: ['text', ({ settled }: Change) => settled?.move.detail ?? null],
  operator: ['text', ({ settled }: Change) => settled?.move.operator ?? null],
  host: ['text', ({ row, settled }: Change) => settled && endpointHost(row.callback_url)],
  body: ['text', ({ settled }: Change) => settled && renderBody(settled.payment)],
} as const

const CHANGED_UNLOCKED = {
  ...CHANGED,
  callback_id: ['to_interpret.callback_id', ({ callbackId }: UnlockedChange) => callbackId],
  version: ['xid', ({ version }: UnlockedChange) => version],
} as const

const OUTCOME = sql`
  state = given.state,
  merchant_request_id = given.merchant_request_id,
  checkout_request_id = given.checkout_request_id,
  result_code = given.result_code,
  result_desc = given.result_desc,
  receipt = given.receipt,
  transaction_date = given.transaction_date,
  event_position = CASE WHEN given.cause IS NULL THEN payments.event_position ELSE ${NEXT_POSITION} END,
  event_number = payments.event_number + (given.cause IS NOT NULL)::integer
`

const MOVED = sql`
  payments.id, payments.partner_id, payments.callback_url, given.from_state, given.state, given.cause, given.detail,
  given.operator, given.host, given.body, ${EVENT}
`

const MOVED_IDS = sql`ANY (ARRAY(SELECT id FROM moved))`

/**
 * What is written of each row of `moved`. A move's time is that of the move, while the payment is locked, and not that
 * of the transaction's start: else the history of a payment for whose lock somebody waited would be out of order.
 */
const whatFollows = (outbox: { isPublished: boolean }) => sql`
  history AS (
    INSERT INTO payment_history (payment_id, from_state, to_state, cause, detail, operator, at, event_position, event_number)
    SELECT id, from_state, state, cause, detail, operator, clock_timestamp(), event_position, event_number
    FROM moved WHERE cause IS NOT NULL
  ), submitted AS (
    DELETE FROM to_submit WHERE payment_id = ${MOVED_IDS}
  ), queried AS (
    DELETE FROM to_query WHERE payment_id = ${MOVED_IDS}
  ), confirmed AS (
    DELETE FROM to_confirm WHERE payment_id = ${MOVED_IDS}
  ), ${enqueue(outbox)}
`
