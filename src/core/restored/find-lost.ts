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
  /** Where each sequence of the database is, and what it goes on above: all that may have been given out. */
  sequences: { sequence: string; database: bigint; goes_on_above: bigint }[]
}

/**
 * Gathers what callbacks, the spool of `folder` and JetStream's messages show that the database does not have. `stored`
 * is null when JetStream cannot be asked.
 */
export const findLost = async (options: {
  database: Database
  folder: string
  judged: Judgement
  stored: Stored | null
}): Promise<Lost> => {
  const { database, judged, stored } = options
  const payments = await findLostPayments({
    database,
    folder: options.folder,
    above: judged.alarm?.missing.above ?? 0n,
  })
  const deliveries = await findLostDeliveries(database, stored?.due ?? [])
  const known: Numbers = {
    payments_id_seq: largest(payments.map(({ payment_id }) => payment_id)),
    deliveries_id_seq: largest(deliveries.map(({ delivery_id }) => delivery_id)),
    partners_id_seq: largest(deliveries.map(({ partner_id }) => partner_id)),
  }
  // A serve that raised them has done so past all that its mark knows: what is left are numbers that nobody's mark
  // knows.
  const isRaised = judged.verdict.kind === 'same'
  const lowest = lowestOf(highest(judged.mark?.ceilings ?? {}, known), judged.found.numbers)
  const above = highest(judged.found.numbers, isRaised ? known : lowest)
  const sequences = Object.entries(judged.found.numbers).map(([sequence, number]) => ({
    sequence,
    database: number,
    goes_on_above: above[sequence] ?? number,
  }))
  return { payments, deliveries, sequences }
}

const largest = (ids: readonly bigint[]): bigint =>
  ids.reduce((one, other) => (one > other ? one : other), 0n)
