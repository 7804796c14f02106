import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'

/** What is shown masked otherwise. */
export type Revealed = RowOf<'payments', 'msisdn' | 'checkout_request_id'>

/**
 * Reads a payer's whole number and what contains it, of one payment, and writes down who looked, in one transaction;
 * undefined when there is no such payment (of the partner given).
 */
export const revealMsisdn = (options: {
  database: Database
  /** Whose it must be; null: anybody's. */
  partnerId: bigint | null
  paymentId: bigint
  actor: Actor
}): Promise<Revealed | undefined> =>
  options.database.transaction().execute(async (transaction) => {
    const { partnerId, paymentId, actor } = options
    const payment = await transaction
      .selectFrom('payments')
      .select(['partner_id', 'msisdn', 'checkout_request_id'])
      .where('id', '=', paymentId)
      .$if(partnerId !== null, (query) => query.where('partner_id', '=', partnerId ?? 0n))
      .executeTakeFirst()
    if (payment === undefined) return undefined
    await recordAudit(transaction, {
      actor,
      action: 'revealed',
      subject: { kind: 'payment', id: paymentId },
      partnerId: payment.partner_id,
      before: null,
      after: { shown: ['msisdn', 'checkout_request_id'] },
    })
    return payment
  })
