import type { ColumnType, Generated } from 'kysely'

/** What lasts and is no row of its own elsewhere: `endpoint` is down, `daraja` holds off, `payments` are overdue. */
export type SignalConditionKind = 'endpoint' | 'daraja' | 'payments'

/** Something that lasts, that operators are told of when it begins and when it has ended. */
export type SignalConditionsTable = {
  kind: SignalConditionKind
  /** Of an endpoint; 0 of all else. */
  partner_id: bigint
  /** The endpoint's host, or the account's shortcode; empty for payments. */
  name: string
  /** When it was first seen. */
  since: Generated<Date>
  /** When operators were told that it began; null: not yet. */
  told_at: ColumnType<Date | null, never, Date>
  /** Since when it is not so any more; null: it is. */
  ended_at: ColumnType<Date | null, never, Date | null>
}

/** When something was done last that all replicas together do so often at most. */
export type SignalPaceTable = {
  /** A type of signals; `look`: the look at what there is to signal. */
  name: string
  at: ColumnType<Date>
}
