import type { Outcome } from '../../database/schema/payments.ts'
import type { Cause } from '../payments/states.ts'

/** What somebody with authority says became of a payment. */
export type Evidence = {
  paymentId: bigint
  outcome: Outcome
  cause: Cause
  resultCode: string
  resultDesc: string
  receipt: string | null
  /** How much money moved, KES; null: not said. */
  amountKes: number | null
  /** When the money moved; null: unknown, and then the moment of settling stands for it. */
  transactionDate: Date | null
  /** Daraja's ids, where the evidence has them. */
  merchantRequestId: string | null
  checkoutRequestId: string | null
  /** Who states it and the reason, if one was given, where it is not from Daraja; kept in the history. */
  byHand?: { operator: string; reason: string | null }
  /** The payer's whole number, which only a callback has; null: not there. */
  payerMsisdn?: string | null
  /** Of a callback: which, and the nonce of the URL that it came to; null: not there. */
  callback?: { id?: string; nonce: string | null }
}
