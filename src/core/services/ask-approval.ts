import { isDeepStrictEqual } from 'node:util'
import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { requireOperator } from './known-operator.ts'
import { Refused } from './refused.ts'
import { describe, selectWaiting } from './waiting-approvals.ts'

type Asked = {
  kind: 'settle_payment' | 'erase_payer'
  paymentId: bigint
  parameters: Readonly<Record<string, unknown>>
  actor: Actor
}

/**
 * Writes down that a change waits for another operator. What it resolves to is thrown: whoever asked must not take the
 * change for made. Throws `Refused` where who asks is no operator.
 */
export const askApproval = async (database: Database, asked: Asked): Promise<Refused> => {
  const { kind, paymentId, parameters, actor } = asked
  return database.transaction().execute(async (transaction) => {
    const { name } = await requireOperator(transaction, actor, 'asks')
    await transaction
      .updateTable('approvals')
      .set({ decision: 'expired' })
      .where('kind', '=', kind)
      .where('payment_id', '=', paymentId)
      .where('decision', 'is', null)
      .where('expires_at', '<=', now)
      .execute()
    const made = await transaction
      .insertInto('approvals')
      .values({
        kind,
        payment_id: paymentId,
        parameters: JSON.stringify(parameters),
        asked_by: name,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst()
    if (made === undefined) return waitsAlready(transaction, asked)
    await recordAudit(transaction, {
      actor,
      action: 'approval_asked',
      subject: { kind: 'payment', id: paymentId },
      partnerId: null,
      before: null,
      after: { approval_id: made.id, kind, ...parameters },
    })
    return new Refused(
      'approval_needed',
      `nothing is changed yet: it waits for 24 hours as approval ${made.id}. Another operator with the role money approves it on the console’s page Approvals, or by gateway approvals approve ${made.id}`,
      { approvalId: made.id },
    )
  })
}

/** What waits is the same change, or another one, which must be decided first: both cannot be made. */
const waitsAlready = async (
  transaction: Transaction<Schema>,
  { kind, paymentId, parameters }: Asked,
): Promise<Refused> => {
  const known = await selectWaiting(transaction)
    .where('approvals.kind', '=', kind)
    .where('approvals.payment_id', '=', paymentId)
    .executeTakeFirst()
  if (known === undefined) return new Refused('not_possible', 'it was decided just now: look again')
  if (!isSameChange(known.parameters, parameters))
    return new Refused(
      'not_possible',
      `another change waits for an approval, as ${known.id}, asked for by ${known.asked_by}: ${describe(known).what}. Have that refused first: gateway approvals refuse ${known.id}`,
    )
  return new Refused(
    'approval_needed',
    `it waits for an approval already, as ${known.id}: gateway approvals list`,
    { approvalId: known.id },
  )
}

/** The same but for why, and for the words of what it is made in spite of. */
const isSameChange = (one: Asked['parameters'], other: Asked['parameters']): boolean =>
  isDeepStrictEqual(changeOf(one), changeOf(other))

const changeOf = ({ reason: _why, doubts, ...change }: Asked['parameters']): Asked['parameters'] => ({
  ...change,
  doubts: Array.isArray(doubts) ? doubts.map(({ kind }: { kind: string }) => kind) : doubts,
})
