import type { ColumnType, Generated } from 'kysely'

export type DeliveryStateName = 'pending' | 'delivered' | 'dead' | 'cancelled'

/** The delivery of one outcome to its partner; range-partitioned by id. */
export type DeliveriesTable = {
  id: Generated<bigint>
  payment_id: bigint
  partner_id: bigint
  /** Of the callback URL: with the partner, the endpoint. */
  host: string
  /** The `webhook-id` header: the same for every attempt of this delivery. */
  webhook_id: string
  callback_url: string
  /** The exact bytes that every attempt sends, as JSON text. */
  body: string
  state: Generated<DeliveryStateName>
  /** How many attempts have been started. */
  attempts: Generated<number>
  /** Attempts that had been started when the schedule began anew. */
  schedule_from: Generated<number>
  /** When an operator sent it again after it had ended; null: never. */
  retried_at: ColumnType<Date | null, never, Date>
  /** When the next attempt is due; null when none is. */
  next_attempt_at: ColumnType<Date | null, never, Date | null>
  created_at: Generated<Date>
  /** When a partner's 2xx came, or the retries ran out. */
  ended_at: ColumnType<Date | null, never, Date | null>
  /** Why it is dead, for an operator. */
  dead_reason: ColumnType<string | null, never, string | null>
}

/** A duty: this delivery is to be attempted at `due_at`. */
export type ToDeliverTable = {
  delivery_id: bigint
  /** The endpoint. */
  partner_id: bigint
  host: string
  due_at: Generated<Date>
  /**
   * Until then one dispatcher has it; `-infinity` when none has. A lease that ran out means that its dispatcher died.
   */
  leased_until: ColumnType<Date, never, Date>
  /** When it is published to the queue, or published again in case the message is lost. */
  publish_at: Generated<Date>
  /** How often it was published to the queue; part of the message's id. */
  publish_number: Generated<number>
  /** Since when it is held for its endpoint: it is neither published nor claimed. Null: it is not held. */
  held_at: ColumnType<Date | null>
}

/** One POST to a partner: written as started before the first byte, then finished. Partitioned by month. */
export type AttemptsTable = {
  delivery_id: bigint
  /** Counts from 1 within the delivery. */
  number: number
  started_at: Generated<Date>
  /** Null: not finished, or the process died and the outcome is unknown. */
  finished_at: ColumnType<Date | null, never, Date | null>
  duration_ms: ColumnType<number | null, never, number>
  /** The address that was connected to. */
  address: ColumnType<string | null, never, string | null>
  /** The HTTP status; null when there was none. */
  status: ColumnType<number | null, never, number | null>
  /** Null for a 2xx. */
  error_class: ColumnType<string | null, never, string | null>
  /** The first 4 kB of the partner's answer, numbers masked. */
  answer: ColumnType<string | null, never, string | null>
}
