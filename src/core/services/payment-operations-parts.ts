import type { Database } from '../../database/connect.ts'
import type { PaymentOperationsService } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { Settlement } from '../settle/decide.ts'
import type { Reader } from './caller.ts'
import type { OperatorMethods } from './operator-client.ts'
import { Refused } from './refused.ts'

/** What the methods of operators about payments use. */
export type PaymentOperationsParts = {
  database: Database
  log: Log
  /** Whose payments the caller means. */
  reader: Reader
  /** How long a payment may be open, ms. */
  overdueAfterMs: number
  /** Another operator must approve a settlement. */
  fourEyes: boolean
  /** Called after a payment was settled, which has a delivery now. */
  onSettled: (settlement: Settlement) => void
}

/** Each of them. */
export type PaymentOperationsMethods = OperatorMethods<
  typeof PaymentOperationsService,
  PaymentOperationsParts
>

export const noPayment = (paymentId: bigint): Refused =>
  new Refused('not_found', `there is no payment ${paymentId}`)
