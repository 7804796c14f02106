import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import { type AuditLine, listAuditOf } from '../audit/list-audit.ts'
import { findAttempts, type ListedDelivery, listPaymentDeliveries } from '../deliveries/find.ts'
import { findFindings, findHistory, findPayment, type Owner, type PaymentRow } from '../payments/find.ts'

/** Callbacks, and attempts of each delivery, that are shown of a payment at most: hardly any has more than a few. */
const MAX_CALLBACKS = 50
const MAX_ATTEMPTS = 50

/** A callback as it came. */
export type ReceivedCallback = RowOf<'callbacks', 'received_at' | 'is_refused' | 'source_address' | 'body'>

/** What the gateway is still to do about a payment. */
export type OpenDuty = { duty: 'push' | 'query' | 'pull'; due_at: Date; times: number }

/** Everything that is kept about one payment. */
export type PaymentRecord = {
  payment: PaymentRow
  /** What its partner is called. */
  partnerName: string | null
  moves: Awaited<ReturnType<typeof findHistory>>
  findings: Awaited<ReturnType<typeof findFindings>>
  callbacks: ReceivedCallback[]
  deliveries: { delivery: ListedDelivery; attempts: Awaited<ReturnType<typeof findAttempts>> }[]
  /** What was done by hand to the payment and its deliveries. */
  byHand: AuditLine[]
  duties: OpenDuty[]
}

/** Reads all of it, each by an index; undefined when there is no such payment of the owner's. */
export const readPaymentRecord = async (
  database: Database,
  owner: Owner,
  paymentId: bigint,
): Promise<PaymentRecord | undefined> => {
  const payment = await findPayment(database, owner, paymentId)
  if (payment === undefined) return undefined
  const deliveries: PaymentRecord['deliveries'] = []
  for (const delivery of await listPaymentDeliveries(database, paymentId)) {
    deliveries.push({
      delivery,
      attempts: await findAttempts(database, delivery.delivery_id, MAX_ATTEMPTS),
    })
  }
  const subjects = [
    { kind: 'payment' as const, id: paymentId },
    ...deliveries.map(({ delivery }) => ({ kind: 'delivery' as const, id: delivery.delivery_id })),
  ]
  return {
    payment,
    partnerName: await findPartnerName(database, payment.partner_id),
    moves: await findHistory(database, paymentId),
    findings: await findFindings(database, paymentId),
    callbacks: await findCallbacks(database, paymentId),
    deliveries,
    byHand: await listAuditOf(database, subjects),
    duties: await findDuties(database, paymentId),
  }
}

const findPartnerName = async (database: Database, partnerId: bigint): Promise<string | null> => {
  const row = await database
    .selectFrom('partners')
    .select('name')
    .where('id', '=', partnerId < 0n ? -partnerId : partnerId)
    .executeTakeFirst()
  return row?.name ?? null
}

const findCallbacks = (database: Database, paymentId: bigint): Promise<ReceivedCallback[]> =>
  database
    .selectFrom('callbacks')
    .select(['received_at', 'is_refused', 'source_address', 'body'])
    .where('payment_id', '=', paymentId)
    .orderBy('received_at')
    .limit(MAX_CALLBACKS)
    .execute()

/** The duties of a payment; what is put off for ever is none. */
const findDuties = async (database: Database, paymentId: bigint): Promise<OpenDuty[]> => {
  const of = (table: string, duty: string, times: string): RawBuilder<unknown> => sql`
    SELECT ${sql.lit(duty)} AS duty, due_at, ${sql.ref(times)} AS times
    FROM ${sql.table(table)} WHERE payment_id = ${paymentId} AND isfinite(due_at)
  `
  const { rows } = await sql<OpenDuty>`
    ${of('to_submit', 'push', 'takes')} UNION ALL ${of('to_query', 'query', 'queries')}
    UNION ALL ${of('to_confirm', 'pull', 'pulls')}
  `.execute(database)
  return rows
}
