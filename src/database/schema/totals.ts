import type { Generated } from 'kysely'

/** What was paid on a day to a partner through an account; real payments only. */
export type DailyTotalsTable = {
  /** A day of Nairobi. */
  day: Date
  partner_id: bigint
  /** 0: the default one. */
  account_id: bigint
  payments: bigint
  amount_kes: bigint
}

/** How far payments have been summed: one row, or none before the first time. */
export type TotalsSummedTable = {
  only_one: Generated<boolean>
  /** Successes from this position of events on are summed as events, those of before by the ids of their payments. */
  begun_position: bigint
  /** Successes below this position are summed. */
  events_to: bigint
  /** Of what was there before, payments with smaller ids are summed; all where it is `fill_end`. */
  filled_to: bigint
  fill_end: bigint
  /** Once successes below this position are summed, all are that were committed before this instant. */
  mark_position: bigint
  mark_at: Date
  /** All successes that were committed before this instant are summed; null: it is not known of any yet. */
  summed_to: Date | null
}

/** A paid payment that is to be summed on another day than at the time when it was settled. */
export type RedatedPaymentsTable = {
  payment_id: bigint
  /** When it was paid, as it was known then. */
  paid_at: Date
}
