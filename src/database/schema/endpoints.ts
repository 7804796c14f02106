import type { ColumnType, Generated } from 'kysely'

/**
 * `closed` deliveries pass · `open` they are held · `half_open` one of them, the probe, passes · `ramping` they pass,
 * and those that are held are let go at a growing rate.
 */
export type EndpointStateName = 'closed' | 'open' | 'half_open' | 'ramping'

/**
 * An endpoint (a partner and a callback host) that fails, or is paused by an operator. One without a row is well:
 * healthy traffic writes nothing here.
 */
export type EndpointsTable = {
  partner_id: bigint
  host: string
  state: Generated<EndpointStateName>
  /** Failures in a row. */
  failures: Generated<number>
  /** How often in a row it was opened: each time for longer. */
  opens: Generated<number>
  /** Open: until then nothing passes. */
  open_until: ColumnType<Date | null>
  /** Half open: the delivery that passes, and until when its outcome is waited for. */
  probe_delivery_id: bigint | null
  probing_until: ColumnType<Date | null>
  /** Ramping: how many held deliveries are let go a second, since when so many, and when the next are. */
  release_per_second: number | null
  release_since: ColumnType<Date | null>
  release_at: ColumnType<Date | null>
  /** Since when, and by whom, it is paused; null when it is not. */
  paused_at: ColumnType<Date | null>
  paused_by: string | null
  /** When it was resumed last; null: not since it failed. */
  resumed_at: ColumnType<Date | null>
  changed_at: Generated<Date>
}

/** A delivery that ended without a 2xx; deleted when it is sent again. */
export type DeadDeliveriesTable = {
  delivery_id: bigint
  partner_id: bigint
  host: string
  /** Of the last attempt; else what ended it. */
  error_class: string | null
  reason: string
  at: Generated<Date>
  /** When operators were told by a signal; null: not yet. */
  told_at: ColumnType<Date | null, never, Date>
}
