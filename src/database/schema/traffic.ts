import type { Generated } from 'kysely'

/** How much of what happened in a minute, a quarter of an hour or an hour; real payments only. */
export type TrafficCountsTable = {
  /** Whose; 0: all partners' together. */
  partner_id: bigint
  span: 'minute' | 'quarter' | 'hour'
  /** When it begins, UTC. */
  at: Date
  /** In the words of src/core/traffic/measures.ts. */
  measure: string
  /** Of a failure its code, of a time its step; else empty. */
  label: Generated<string>
  count: bigint
}

/** How far traffic has been counted: one row, or none before the first time. */
export type TrafficCountedTable = {
  only_one: Generated<boolean>
  /** What happened before was not counted. */
  begun_at: Generated<Date>
  /** Events of payments below this position are counted, which is up to about this instant. */
  events_to: bigint
  events_at: Date
  /** Attempts that finished before this instant are. */
  attempts_to: Date
}
