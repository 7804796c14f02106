import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import type { ExceptionKind } from './exceptions.ts'

/** One, or all of a kind of one statement that nobody has acknowledged. */
export type Acknowledged = { id: bigint } | { statementId: bigint; kind: ExceptionKind }

/**
 * Keeps what a person says of what does not fit, with their name, and a line in the audit log. Resolves with how many were
 * not acknowledged before: of one that was, nothing is changed.
 */
export const acknowledge = async (options: {
  database: Database
  which: Acknowledged
  note: string
  actor: Actor
}): Promise<number> => {
  const { database, which, actor } = options
  const acknowledged = await database.transaction().execute(async (transaction) => {
    const rows = await update(transaction, options)
    if (rows.length > 0) {
      await recordAudit(transaction, {
        actor,
        action: 'acknowledged',
        subject:
          'id' in which ? { kind: 'exception', id: which.id } : { kind: 'statement', id: which.statementId },
        partnerId: null,
        before: null,
        // Not the note, in which a payer's number may stand.
        after: { exceptions: rows.length, ...('id' in which ? {} : { kind: which.kind }) },
      })
    }
    crashPoint('acknowledge_exceptions.before_commit')
    return rows.length
  })
  crashPoint('acknowledge_exceptions.after_commit')
  return acknowledged
}

const update = async (
  transaction: Transaction<Schema>,
  { which, note, actor }: { which: Acknowledged; note: string; actor: Actor },
): Promise<RowOf<'statement_exceptions', 'id'>[]> => {
  const open = transaction
    .updateTable('statement_exceptions')
    .set({ acknowledged_at: sql<Date>`now()`, acknowledged_by: nameOf(actor), note })
    .where('acknowledged_at', 'is', null)
    .returning('id')
  const meant =
    'id' in which
      ? open.where('id', '=', which.id)
      : open.where('statement_id', '=', which.statementId).where('kind', '=', which.kind)
  return meant.execute()
}

/** Whether there is such a thing that does not fit. */
export const isException = async (database: Database, id: bigint): Promise<boolean> => {
  const row = await database
    .selectFrom('statement_exceptions')
    .select('id')
    .where('id', '=', id)
    .executeTakeFirst()
  return row !== undefined
}
