import type { ColumnType, Generated } from 'kysely'

export type PaymentStateName =
  | 'accepted'
  | 'submitting'
  | 'submitted'
  | 'unconfirmed'
  | 'successful'
  | 'failed'

/** A state that is an outcome for the partner. */
export type Outcome = Extract<PaymentStateName, 'successful' | 'failed'>

/**
 * One row a payment; range-partitioned by id. Indexes only on (id), (partner_id, id), (reference, partner_id, -id),
 * (msisdn, partner_id, -id) and BRIN (created_at): an index on a column that changes with the state would end HOT
 * updates.
 */
export type PaymentsTable = {
  id: Generated<bigint>
  partner_id: bigint
  msisdn: string
  amount_kes: number
  reference: string | null
  callback_url: string
  state: PaymentStateName
  created_at: Generated<Date>
  /** After this instant nobody is prompted for it any more. */
  submit_by: Date
  merchant_request_id: string | null
  checkout_request_id: string | null
  result_code: string | null
  result_desc: string | null
  receipt: string | null
  /** When the money moved; for a failure, when the outcome became known. */
  transaction_date: Date | null
  /** The account at Daraja that it goes through, decided when it was accepted; 0: the default one. */
  account_id: Generated<bigint>
  /** 16 random hexadecimal digits that its callback URL carries; null: accepted by a release that knew of none. */
  callback_nonce: string | null
  /** The partner's own pairs, as it gave them; null: none. */
  metadata: Readonly<Record<string, string>> | null
  /** Where its first event, that it was accepted, stands among all events; null: from before there were any. */
  accepted_position: Generated<bigint | null>
  /** Where its newest event stands, once it has moved. */
  event_position: bigint | null
  /** The number of its newest event: 1 that it was accepted, and one more for each move. */
  event_number: Generated<number>
}

/** M-PESA's receipt → the payment that it proves; hash-partitioned, kept as long as the payment. */
export type ReceiptsTable = {
  payment_id: bigint
  receipt: string
}

/** (partner, SHA-256 of the idempotency key) → payment; hash-partitioned, kept as long as the payment. */
export type IdempotencyKeysTable = {
  partner_id: bigint
  key_hash: Buffer
  payment_id: bigint
  /** SHA-256 over a version and the four parsed fields of the request. */
  fingerprint: Buffer
}

/** Every move of every payment, append only; partitioned by month. */
export type PaymentHistoryTable = {
  payment_id: bigint
  at: Generated<Date>
  from_state: PaymentStateName
  to_state: PaymentStateName
  /** Why, in the words of src/core/payments/states.ts. */
  cause: string
  /** What an operator wants to know beside it, such as Daraja's error code. */
  detail: string | null
  /** Who moved it by hand; null: the gateway itself. */
  operator: string | null
  /** Where the event that the move is stands among all events; null: from before there were any. */
  event_position: bigint | null
  /** Its number among the events of its payment. */
  event_number: number | null
}

/** A contradiction between evidence and the recorded state of a payment, for operators; each kept once. */
export type PaymentFindingsTable = {
  payment_id: bigint
  /** In the words of src/core/settle/findings.ts. */
  kind: string
  detail: string
  at: Generated<Date>
  /** What it is named by. */
  id: Generated<bigint>
  /** When somebody acknowledged it, who, and what they noted; null: nobody has. */
  acknowledged_at: ColumnType<Date | null, never, Date>
  acknowledged_by: ColumnType<string | null, never, string>
  note: ColumnType<string | null, never, string>
  /** When operators were told by a signal; null: not yet. */
  told_at: ColumnType<Date | null, never, Date>
}

/** A duty: this payment is to be submitted to Daraja. */
export type ToSubmitTable = {
  payment_id: bigint
  due_at: Generated<Date>
  leased_until: ColumnType<Date, never, Date>
  /** The payment's: after this instant it fails instead. */
  submit_by: Date
  /** How often it was taken: the record of one taking is distinguished from that of another by it. */
  takes: Generated<number>
  /** The payment's. */
  account_id: Generated<bigint>
}

/** A duty: Daraja is to be asked what became of this payment. */
export type ToQueryTable = {
  payment_id: bigint
  due_at: Date
  leased_until: ColumnType<Date, never, Date>
  /** How often it has been asked. */
  queries: Generated<number>
  /** The payment's. */
  account_id: Generated<bigint>
}

/**
 * A duty: M-PESA's records are to confirm this payment, which is unconfirmed, or paid without a receipt. Pull
 * Transactions look for it, where the account has them; else it is there for operators to see.
 */
export type ToConfirmTable = {
  payment_id: bigint
  since: Generated<Date>
  /** When it is next looked for. */
  due_at: Generated<Date>
  /** How often it has been looked for. */
  pulls: Generated<number>
  /** The payment's. */
  account_id: Generated<bigint>
}
