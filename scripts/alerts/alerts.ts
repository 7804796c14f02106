import type { Alert } from './alert.ts'
import {
  CALLBACK_ALERTS,
  DARAJA_ALERTS,
  DATABASE_ALERTS,
  PAYMENT_ALERTS,
  PROCESS_ALERTS,
} from './core-alerts.ts'
import { ACCESS_ALERTS, DELIVERY_ALERTS, QUEUE_ALERTS } from './delivery-alerts.ts'

/** Every alert, in the order of the runbooks. The rules, their tests and the table in docs/operations.md are made of it. */
export const ALERTS: readonly Alert[] = [
  ...PROCESS_ALERTS,
  ...DATABASE_ALERTS,
  ...CALLBACK_ALERTS,
  ...DARAJA_ALERTS,
  ...PAYMENT_ALERTS,
  ...DELIVERY_ALERTS,
  ...QUEUE_ALERTS,
  ...ACCESS_ALERTS,
]
