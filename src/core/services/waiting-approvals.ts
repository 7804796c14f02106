import { sql } from 'kysely'
import { z } from 'zod'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'

/** How a settlement was asked for, as an approval keeps it. */
export const settlement = z.object({
  outcome: z.enum(['successful', 'failed']),
  receipt: z.string().nullable(),
  reason: z.string(),
  anyway: z.boolean(),
  /** In spite of what; a release before did not keep it. */
  doubts: z.array(z.object({ kind: z.string(), what: z.string() })).optional(),
})

/** Approvals that wait, each with its payment's partner, KES and state; all null where the payment is not there any more. */
export const selectWaiting = (database: Database) =>
  database
    .selectFrom('approvals')
    .leftJoin('payments', 'payments.id', 'approvals.payment_id')
    .leftJoin('partners', (join) => join.on('partners.id', '=', sql<bigint>`abs(payments.partner_id)`))
    .select([
      'approvals.id',
      'approvals.kind',
      'approvals.payment_id',
      'approvals.parameters',
      'approvals.asked_by',
      'approvals.asked_at',
      'approvals.expires_at',
      'payments.amount_kes',
      'payments.state',
      'partners.name as partner',
    ])
    .where('approvals.decision', 'is', null)
    .where('approvals.expires_at', '>', now)

export type WaitingApproval = Awaited<ReturnType<ReturnType<typeof selectWaiting>['execute']>>[number]

type Described = Pick<
  WaitingApproval,
  'kind' | 'payment_id' | 'parameters' | 'amount_kes' | 'partner' | 'state'
>

/** What will happen, as a sentence, and why in the words of who asked. */
export const describe = (approval: Described): { what: string; reason: string | null } => {
  const { kind, payment_id, parameters } = approval
  if (kind === 'erase_payer')
    return { what: `erase the payer of payment ${payment_id}: there is no way back`, reason: null }
  const { outcome, receipt, reason, anyway, doubts } = settlement.parse(parameters)
  const proof = receipt === null ? '' : ` with receipt ${receipt}`
  const known = doubts?.map(({ what }) => what).join('; ')
  const doubt = anyway
    ? `, ${known === undefined ? 'whatever the gateway warns of' : `although ${known}`}`
    : ''
  if (approval.state === 'successful' && receipt !== null)
    return {
      what: `fill in receipt ${receipt} of payment ${payment_id}${moneyOf(approval)}${doubt}; it is paid already, and nobody is told`,
      reason,
    }
  return {
    what: `settle payment ${payment_id}${moneyOf(approval)} as ${outcome}${proof}${doubt}; its partner is told`,
    reason,
  }
}

const moneyOf = ({ amount_kes, partner }: Described): string =>
  amount_kes === null ? '' : ` (KES ${amount_kes}, ${partner ?? 'unknown partner'})`
