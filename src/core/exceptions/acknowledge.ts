import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'
import { FINDING_COLUMNS, type FindingRow, type Owner } from '../payments/find.ts'

/**
 * Takes a finding out of the exceptions, with a note and who saw to it; what was acknowledged before keeps its note.
 * Undefined when there is no such finding of the owner's.
 */
export const acknowledgeFinding = (options: {
  database: Database
  owner: Owner
  findingId: bigint
  note: string
  actor: Actor
}): Promise<FindingRow | undefined> =>
  options.database.transaction().execute(async (transaction) => {
    const { owner, findingId, note, actor } = options
    const found = await transaction
      .selectFrom('payment_findings')
      .leftJoin('payments', 'payments.id', 'payment_findings.payment_id')
      .select(FINDING_COLUMNS)
      .select('payments.partner_id')
      .where('payment_findings.id', '=', findingId)
      .$if(typeof owner === 'object', (query) =>
        query.where('payments.partner_id', '=', typeof owner === 'object' ? owner.partnerId : 0n),
      )
      .forUpdate('payment_findings')
      .executeTakeFirst()
    if (found === undefined) return undefined
    const { partner_id: partnerId, ...finding } = found
    if (finding.acknowledged_at !== null) return finding
    const acknowledged = await transaction
      .updateTable('payment_findings')
      .set({ acknowledged_at: sql<Date>`now()`, acknowledged_by: nameOf(actor), note })
      .where('payment_findings.id', '=', findingId)
      .returning(FINDING_COLUMNS)
      .executeTakeFirstOrThrow()
    await recordAudit(transaction, {
      actor,
      action: 'acknowledged',
      subject: { kind: 'finding', id: findingId },
      partnerId,
      before: null,
      after: { payment_id: finding.payment_id, kind: finding.kind, note },
    })
    return acknowledged
  })
