import { z } from 'zod'
import { MAX_AMOUNT_KES } from '../values/amount.ts'
import { MSISDN_PATTERN } from '../values/msisdn.ts'

// Fields that several bodies of the interface have, by the guide's names. A schema in an answer describes what we
// send; whoever builds it has the schema's type.

export const transactionId = z
  .int()
  .min(1)
  .meta({ description: "The gateway's id of the payment. Ids grow.", examples: [102] })

export const phone = z
  .string()
  .regex(MSISDN_PATTERN)
  .meta({ description: "The payer's number in international format.", examples: ['254712345678'] })

export const amount = z
  .int()
  .min(1)
  .max(MAX_AMOUNT_KES)
  .meta({ description: 'Whole Kenyan shillings (KES).', examples: [150] })

export const nullableText = (description: string, example: string) =>
  z
    .string()
    .nullable()
    .meta({ description, examples: [example] })

export const merchantRequestId = nullableText(
  "M-PESA's id of the prompt; null if it never gave one.",
  '29115-34620561-1',
)

export const checkoutRequestId = nullableText(
  "M-PESA's second id of the prompt; null if it never gave one.",
  'ws_CO_22052025084523789',
)

/** An instant in UTC and whole seconds, as the guide writes it. */
export const instant = (description: string) =>
  z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    .meta({ description, format: 'date-time', examples: ['2025-05-22T08:47:05Z'] })
