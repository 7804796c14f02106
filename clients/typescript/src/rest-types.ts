// Written by `npm run generate` from docs/openapi.json.

/**
 * A request for a payment. Other fields are ignored.
 */
export interface StkPushRequest {
  /**
   * The payer's number in international format.
   */
  phone: string
  /**
   * Whole Kenyan shillings (KES). A JSON number, not a string.
   */
  amount: number
  /**
   * Your own reference: up to 64 printable characters. The payer sees its first 12 letters and digits.
   */
  reference?: string | null
  /**
   * Where the outcome is POSTed: https, a public host, no user name or password.
   */
  callback_url: string
  /**
   * Your own pairs of texts, at most 10: they come back where you read the payment, and go nowhere else.
   */
  metadata?: {
    [k: string]: string
  } | null
  /**
   * For how many seconds the payer may still be prompted: a payment whose payer was not prompted by then fails with `NOT_PROMPTED`. Two minutes unless given.
   */
  expires_in?: number | null
}
/**
 * Which outcomes: those that fit every field that is given.
 */
export interface ResendRequest {
  /**
   * How the outcome stands: `undelivered`, which is any of the others, unless you say which.
   */
  delivery?: 'undelivered' | 'pending' | 'held' | 'dead' | 'cancelled'
  /**
   * Only outcomes of payments that ended so.
   */
  status?: 'successful' | 'failed'
  /**
   * Only outcomes of payments with exactly this reference of yours.
   */
  reference?: string
  /**
   * Only outcomes of payments that were accepted at this instant or later.
   */
  created_from?: string
  /**
   * Only outcomes of payments that were accepted before this instant.
   */
  created_to?: string
  /**
   * Only outcomes that became known at this instant or later.
   */
  outcome_from?: string
  /**
   * Only outcomes that became known before this instant.
   */
  outcome_to?: string
  /**
   * How many are sent a second; 20 unless you say otherwise.
   */
  per_second?: number
  /**
   * True: nothing is sent, and it is only counted how many there are.
   */
  dry_run?: boolean
}
/**
 * The outcome of a payment.
 */
export interface Callback {
  /**
   * The gateway's id of the payment. Ids grow.
   */
  transaction_id: number
  /**
   * M-PESA's id of the prompt; null if it never gave one.
   */
  merchant_request_id: string | null
  /**
   * M-PESA's second id of the prompt; null if it never gave one.
   */
  checkout_request_id: string | null
  /**
   * M-PESA's result code: 0 is paid, anything else is not. A string where M-PESA's code is not numeric.
   */
  result_code: number | string
  /**
   * M-PESA's text for it.
   */
  result_desc: string
  /**
   * Whole Kenyan shillings (KES).
   */
  amount: number
  /**
   * M-PESA's receipt; null if the payment failed.
   */
  mpesa_receipt: string | null
  /**
   * When the money moved, or for a failure when it became known. UTC.
   */
  transaction_date: string
  /**
   * The payer's number in international format.
   */
  phone: string
  /**
   * Whether the payer paid.
   */
  status: 'successful' | 'failed'
}
/**
 * The payment is stored, and its payer will be prompted.
 */
export interface Accepted {
  status: 'success'
  /**
   * The gateway's id of the payment. Ids grow.
   */
  transaction_id: number
  message: 'STK Push accepted for processing'
}
/**
 * The same key and body came before.
 */
export interface Duplicate {
  status: 'duplicate'
  /**
   * The first request's id.
   */
  transaction_id: number
  message: 'Duplicate request (idempotency)'
}
/**
 * Every answer that is not a success.
 */
export interface Error {
  status: 'error'
  /**
   * Which field is wrong, and what would be right. For people: decide on the HTTP status.
   */
  message: string
}
/**
 * One page of payments.
 */
export interface TransactionsAnswer {
  status: 'success'
  /**
   * Newest first.
   */
  transactions: Transaction[]
  /**
   * The `before` of the next page; null on the last.
   */
  next_before: number | null
}
/**
 * A payment of yours as it stands now.
 */
export interface Transaction {
  /**
   * The gateway's id of the payment. Ids grow.
   */
  transaction_id: number
  /**
   * Where the payment stands. `successful` is paid; `failed` is not paid; the others are not the end.
   */
  status: 'accepted' | 'submitting' | 'submitted' | 'unconfirmed' | 'successful' | 'failed'
  /**
   * The payer's number in international format.
   */
  phone: string
  /**
   * Whole Kenyan shillings (KES).
   */
  amount: number
  /**
   * Your own reference; null if you gave none.
   */
  reference: string | null
  /**
   * As you gave it.
   */
  callback_url: string
  /**
   * M-PESA's id of the prompt; null if it never gave one.
   */
  merchant_request_id: string | null
  /**
   * M-PESA's second id of the prompt; null if it never gave one.
   */
  checkout_request_id: string | null
  /**
   * M-PESA's result code: 0 is paid, anything else is not. A string where M-PESA's code is not numeric; null until the outcome is known.
   */
  result_code: number | string | null
  /**
   * M-PESA's text for it; null until the outcome is known.
   */
  result_desc: string | null
  /**
   * M-PESA's receipt of a paid payment, else null.
   */
  mpesa_receipt: string | null
  /**
   * When the money moved, or for a failure when it became known; null until then. UTC.
   */
  transaction_date: string | null
  /**
   * When the gateway accepted the request. UTC.
   */
  created_at: string
  /**
   * After this instant the payer is not prompted any more; a prompt that is on the phone by then stays. UTC.
   */
  expires_at: string
  /**
   * Why it failed; null unless `status` is `failed`.
   */
  failure: Failure | null
  /**
   * Your own pairs; null if you gave none.
   */
  metadata: {
    [k: string]: string
  } | null
  /**
   * Only of a test payment, asked for with a test key: nobody was prompted, no money moved.
   */
  test?: true
}
/**
 * Why a payment failed.
 */
export interface Failure {
  /**
   * A name for your program to decide by, which never gets another meaning. Today's are unknown, insufficient_funds, cancelled_by_payer, no_answer, wrong_pin, pin_locked, payer_busy, payer_unreachable, payer_not_allowed, expired, prompt_failed, not_prompted, amount_too_small, amount_too_large, daily_limit_reached, balance_limit_reached, repeated_too_soon, mpesa_busy, merchant_not_allowed, request_refused, not_paid, cancelled; treat one that you do not know as unknown.
   */
  reason: string
  /**
   * Whether the same request to the same payer may go through, once the payer has done what the message says.
   */
  worth_retrying: boolean
  /**
   * A sentence for the payer.
   */
  message: {
    /**
     * For the payer, in English.
     */
    en: string
    /**
     * For the payer, in Swahili.
     */
    sw: string
  }
}
/**
 * One payment.
 */
export interface TransactionAnswer {
  status: 'success'
  transaction: Transaction
}
/**
 * What was sent to you of one payment.
 */
export interface DeliveriesAnswer {
  status: 'success'
  /**
   * Oldest first, one for each outcome: none until there is one, two after a late success.
   */
  deliveries: {
    delivery: Delivery
    /**
     * Oldest first; the latest 20 of them.
     */
    attempts: Attempt[]
  }[]
}
/**
 * The delivery of one outcome to your `callback_url`.
 */
export interface Delivery {
  /**
   * The `webhook-id` of every attempt: tell by it what you have already.
   */
  webhook_id: string
  /**
   * `pending` waits for its next attempt, or has one under way; `held` waits for your endpoint, which is down, paused or only just back; `delivered` was answered with a 2xx; `dead` is not attempted any more; `cancelled` was ended by us.
   */
  state: 'pending' | 'held' | 'delivered' | 'dead' | 'cancelled'
  /**
   * How many attempts were made.
   */
  attempt_count: number
  /**
   * An attempt is being made now.
   */
  under_way: boolean
  /**
   * When the next attempt is due; null when none is, and while it is held. UTC.
   */
  next_attempt_at: string | null
  /**
   * Why it is held: your endpoint is `paused` by us, `down`, asked just now whether it is back (`probing`), or back, and what was held goes out a little a second (`ramping`). Null when it is not held.
   */
  held_because: string | null
  /**
   * When your endpoint, which is down, is asked next whether it is back; null otherwise. UTC.
   */
  held_until: string | null
  /**
   * When the outcome became known. UTC.
   */
  created_at: string
  /**
   * When it was delivered, dead or cancelled; null until then. UTC.
   */
  ended_at: string | null
  /**
   * Why it is dead or cancelled, else null.
   */
  reason: string | null
}
/**
 * One POST of an outcome.
 */
export interface Attempt {
  /**
   * Counts from 1: the `webhook-attempt`.
   */
  number: number
  /**
   * UTC.
   */
  started_at: string
  /**
   * How long it took, ms; null while it is under way, and where it was cut off.
   */
  duration_ms: number | null
  /**
   * The HTTP status that you answered; null without an answer.
   */
  http_status: number | null
  /**
   * Why it failed: `blocked`, `dns`, `refused`, `unreachable`, `reset`, `tls`, `timeout`, `protocol`, `too_large`, `redirect`, `status`, `not_signed`. Null when it did not, and while it is under way.
   */
  error_class: string | null
  /**
   * The first 500 characters of your answer, long runs of digits masked; null without one.
   */
  answer: string | null
}
/**
 * What is done with the outcome, and how its delivery stands now.
 */
export interface ResendAnswer {
  status: 'success'
  /**
   * `resent`: it is sent now. `held`: it is sent when your endpoint is back. `waiting`: it was about to be sent. `under_way`: it is being sent.
   */
  result: 'resent' | 'held' | 'waiting' | 'under_way'
  delivery: Delivery
}
/**
 * How many there are; nothing was sent.
 */
export interface ResendCount {
  status: 'success'
  /**
   * How many fit, counted no further than 10000.
   */
  found: number
  /**
   * More than 10000 fit. These are the oldest: ask again once they are sent.
   */
  more: boolean
  dry_run: true
}
/**
 * What is done with them.
 */
export interface ResendManyAnswer {
  status: 'success'
  /**
   * How many fit, counted no further than 10000.
   */
  found: number
  /**
   * More than 10000 fit. These are the oldest: ask again once they are sent.
   */
  more: boolean
  /**
   * Are sent now, so many a second.
   */
  resent: number
  /**
   * Are sent when your endpoint is back.
   */
  held: number
  /**
   * Were about to be sent, and are not queued twice.
   */
  waiting: number
  /**
   * Are being sent.
   */
  under_way: number
}
/**
 * How the gateway is doing.
 */
export interface StatusAnswer {
  status: 'success'
  /**
   * When this was looked at. UTC.
   */
  at: string
  /**
   * Payments can be asked for.
   */
  payments: {
    /**
     * False: it is not as it should be. Null: it cannot be known now.
     */
    ok: boolean | null
    /**
     * Since when it is not ok, UTC; null while it is.
     */
    since: string | null
  }
  /**
   * Payers are prompted without delay.
   */
  prompts: {
    /**
     * False: it is not as it should be. Null: it cannot be known now.
     */
    ok: boolean | null
    /**
     * Since when it is not ok, UTC; null while it is.
     */
    since: string | null
  }
  /**
   * M-PESA takes what is asked of it: not ok while it holds us off.
   */
  daraja: {
    /**
     * False: it is not as it should be. Null: it cannot be known now.
     */
    ok: boolean | null
    /**
     * Since when it is not ok, UTC; null while it is.
     */
    since: string | null
  }
  /**
   * Outcomes are delivered when they are due.
   */
  outcomes: {
    /**
     * False: it is not as it should be. Null: it cannot be known now.
     */
    ok: boolean | null
    /**
     * Since when it is not ok, UTC; null while it is.
     */
    since: string | null
  }
}
/**
 * Which payments: those that fit every field that is given.
 */
export interface TransactionFilters {
  /**
   * How many at most; 20 by default.
   */
  limit?: number
  /**
   * Only payments with a smaller `transaction_id`: the `next_before` of the page before.
   */
  before?: number
  /**
   * Only payments that stand here.
   */
  status?: 'accepted' | 'submitting' | 'submitted' | 'unconfirmed' | 'successful' | 'failed'
  /**
   * Only payments with an outcome that your `callback_url` has not answered with a 2xx: one that is still to be delivered, and one that is delivered no more.
   */
  delivery?: 'undelivered'
  /**
   * Only payments with exactly this reference of yours.
   */
  reference?: string
  /**
   * Only the payment that this receipt of M-PESA's proves.
   */
  mpesa_receipt?: string
  /**
   * Only payments of this payer.
   */
  phone?: string
  /**
   * Only the payment that you requested with this `X-Idempotency-Key`.
   */
  idempotency_key?: string
  /**
   * Only payments that were accepted at this instant or later.
   */
  created_from?: string
  /**
   * Only payments that were accepted before this instant.
   */
  created_to?: string
}
