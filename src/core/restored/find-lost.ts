import type { Database } from '../../database/connect.ts'
import type { Judgement } from '../../database/mark/judge-by-marks.ts'
import { highest, lowestOf, type Numbers } from '../../database/mark/mark.ts'
import type { Stored } from '../../queue/list-stored.ts'
import { findLostDeliveries, type LostDelivery } from './lost-deliveries.ts'
import { findLostPayments, type LostPayment } from './lost-payments.ts'

/** What is known of what a restored database does not have. */
export type Lost = {
  payments: LostPayment[]
  deliveries: LostDelivery[]
  /** Where each sequence of the database is, and up to where numbers may have been given out. */
  sequences: { sequence: string; database: bigint; given_out_up_to: bigint }[]
}

/**
 * Gathers what callbacks, the spool of `folder` and JetStream's messages tell of what the database does not have. `stored` is
 * null when JetStream cannot be asked.
 */
export const findLost = async (options: {
  database: Database
  folder: string
  judged: Judgement
  stored: Stored | null
}): Promise<Lost> => {
  const { database, judged, stored } = options
  const above = judged.alarm?.missing.above ?? 0n
  const payments = await findLostPayments({ ...options, above })
  const deliveries = await findLostDeliveries(database, stored?.due ?? [])
  const known: Numbers = {
    payments_id_seq: largest(payments.map(({ payment_id }) => payment_id)),
    deliveries_id_seq: largest(deliveries.map(({ delivery_id }) => delivery_id)),
    partners_id_seq: largest(deliveries.map(({ partner_id }) => partner_id)),
  }
  const upTo = lowestOf(highest(judged.mark?.ceilings ?? {}, known), judged.found.numbers)
  const sequences = Object.entries(judged.found.numbers).map(([sequence, number]) => ({
    sequence,
    database: number,
    given_out_up_to: upTo[sequence] ?? number,
  }))
  return { payments, deliveries, sequences }
}

const largest = (ids: readonly bigint[]): bigint =>
  ids.reduce((one, other) => (one > other ? one : other), 0n)
