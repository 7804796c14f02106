import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import { type Look, type Looked, lookedTo } from '../../database/look-back.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { firstIdAt, msOfId } from './callback.ts'

/** A callback that is to be interpreted. */
export type DueCallback = RowOf<'callbacks', 'id' | 'received_at' | 'nonce' | 'body'> & { payment_id: bigint }

/** So many of the callbacks that are due, the oldest that a look comes to. */
export type Oldest = { limit: number; look: Look }

/**
 * Which of the callbacks that are to be interpreted: the oldest, or the one of this id, if it is due. `left` are ids of
 * callbacks that count as due although they are not yet.
 */
export type Which = (Oldest | { id: string }) & { left: readonly string[] }

/** What was taken, and how far was looked for it. */
export type Taken = { callbacks: DueCallback[]; looked: Looked | undefined }

/** How long evidence waits for the reply to its push, s: half as long as it has waited, within these bounds. */
const LEAST_WAIT_SECONDS = 0.2
const MOST_WAIT_SECONDS = 5

/** When a callback is tried again that could not be interpreted for a reason that may pass, s: later each time. */
const LEAST_PAUSE_SECONDS = 60
const MOST_PAUSE_SECONDS = 3600

/**
 * Ends the duties of callbacks that are due and that nobody else has in hand, and reads these: a transaction that fails
 * gives the duties back. The bounds of time name the partitions once; a join would look for them again for each row.
 */
export const takeDue = async (transaction: Transaction<Schema>, which: Which): Promise<Taken> => {
  const { rows } = await sql<Looked & (DueCallback | { id: null })>`
    WITH due AS (
      DELETE FROM to_interpret WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM to_interpret
        WHERE ${isDue(which.left)} AND callback_id ${'id' in which ? sql`= ${which.id}` : sql`>= ${beginningOf(which)}`}
        ORDER BY callback_id LIMIT ${'id' in which ? 1 : which.limit} FOR UPDATE SKIP LOCKED
      ))
      RETURNING callback_id, received_at
    ), taken AS (
      SELECT id, received_at, payment_id, nonce, body FROM callbacks
      WHERE id = ANY (ARRAY(SELECT callback_id FROM due))
        AND received_at >= (SELECT min(received_at) FROM due) AND received_at <= (SELECT max(received_at) FROM due)
    )
    SELECT looked.*, taken.* FROM (SELECT ${lookedTo('to_interpret', sql`now()`)}) looked LEFT JOIN taken ON true
    ORDER BY id
  `.execute(transaction)
  const callbacks = rows.flatMap((row) => (row.id === null ? [] : [row]))
  return { callbacks, looked: rows[0] && { ...rows[0], ...lookedToLast(callbacks, which) } }
}

/** Ids sort by time: where all that were asked for were found, nothing was looked at behind the last of them. */
const lookedToLast = (callbacks: readonly DueCallback[], which: Which): Partial<Looked> => {
  const last = 'limit' in which ? callbacks[which.limit - 1] : undefined
  return last ? { looked_to_ms: msOfId(last.id) } : {}
}

/** The least id from which a look reads: no greater than those that count as due in any case. */
const beginningOf = ({ look, left }: Oldest & Which): string =>
  [firstIdAt(look.fromMs ?? 0), ...left].reduce((least, id) => (id < least ? id : least))

const isDue = (left: readonly string[]) =>
  sql<boolean>`(due_at <= now() OR callback_id = ${anyOf('to_interpret.callback_id', left)})`

/** The ids of the oldest callbacks that are due, without taking them. */
export const listDue = async (database: Database, which: Oldest & Which): Promise<string[]> => {
  const rows = await database
    .selectFrom('to_interpret')
    .select('callback_id')
    .where(isDue(which.left))
    .where('callback_id', '>=', beginningOf(which))
    .orderBy('callback_id')
    .limit(which.limit)
    .execute()
  return rows.map(({ callback_id }) => callback_id)
}

/** Gives callbacks their duty again, in the transaction that took it: they wait for the reply to their push. */
export const letWait = async (
  transaction: Transaction<Schema>,
  callbacks: readonly DueCallback[],
): Promise<void> => {
  if (callbacks.length === 0) return
  const given = givenRows(callbacks, {
    id: ['to_interpret.callback_id', (callback) => callback.id],
    received_at: ['to_interpret.received_at', (callback) => callback.received_at],
  })
  await transaction
    .insertInto('to_interpret')
    .columns(['callback_id', 'received_at', 'due_at'])
    .expression((query) =>
      query
        .selectFrom(given)
        .select(['id', 'received_at'])
        .select(afterPause({ least: LEAST_WAIT_SECONDS, most: MOST_WAIT_SECONDS }).as('due_at')),
    )
    .execute()
}

/** Has one callback tried again later, if it still is to be interpreted; resolves with when, s from now. */
export const putOff = async (database: Database, id: string): Promise<number> => {
  crashPoint('put_off.before_commit')
  const row = await database
    .updateTable('to_interpret')
    .set({ due_at: afterPause({ least: LEAST_PAUSE_SECONDS, most: MOST_PAUSE_SECONDS }) })
    .where('callback_id', '=', id)
    .returning(sql<number>`round(extract(epoch FROM due_at - now()))::float8`.as('seconds'))
    .executeTakeFirst()
  crashPoint('put_off.after_commit')
  return row?.seconds ?? 0
}

/** Ends the duty of one callback that can never be interpreted: it is kept, and not tried for ever. */
export const giveUp = async (database: Database, id: string): Promise<void> => {
  crashPoint('give_up_callback.before_commit')
  await database.deleteFrom('to_interpret').where('callback_id', '=', id).execute()
  crashPoint('give_up_callback.after_commit')
}

/** The instant after a pause that grows with the time since the callback came, so that nobody has to count. */
const afterPause = ({ least, most }: { least: number; most: number }) =>
  sql<Date>`now() + least(greatest((now() - received_at) / 2, make_interval(secs => ${least})), make_interval(secs => ${most}))`
