import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { z } from 'zod'
import { MAX_IDEMPOTENCY_KEY_CHARACTERS, parseSoughtKey } from '../../values/idempotency-key.ts'
import { parseId } from '../../values/ids.ts'
import { INSTANT_PATTERN, parseInstant } from '../../values/instant.ts'
import { parseMsisdn } from '../../values/msisdn.ts'
import { PAYMENTS_PAGE, parsePageSize } from '../../values/page-size.ts'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'
import { PAYMENT_STATE_NAMES, parsePaymentState } from '../../values/payment-state.ts'
import { parseReceipt, RECEIPT_PATTERN } from '../../values/receipt.ts'
import { MAX_REFERENCE_CHARACTERS, parseReference } from '../../values/reference.ts'
import { phone, transactionId } from '../fields.ts'
import { optionalParameter } from '../parameter.ts'
import { paymentStatus } from './transaction.ts'

/** A number of the page's, in digits; 0 is none, for it stands for the usual number. */
const parseLimit = (text: string | null): Parsed<number> =>
  parsePageSize(text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null, PAYMENTS_PAGE)

const parseBefore = (text: string | null): Parsed<bigint> => {
  const id = parseId(text ?? '')
  return id === null ? invalid('must be a transaction_id, a positive whole number') : valid(id)
}

const parseStatus = (text: string | null) => {
  const state = parsePaymentState(text ?? '')
  return state === null ? invalid(`must be one of ${PAYMENT_STATE_NAMES.join(', ')}`) : valid(state)
}

/** There is one value only, so that a partner who misspells it does not take all its payments for what it missed. */
const parseDelivery = (text: string | null): Parsed<'undelivered'> =>
  text === 'undelivered' ? valid(text) : invalid('must be undelivered, or left out')

const instantParameter = (description: string, example: string) =>
  optionalParameter(
    parseInstant,
    z
      .string()
      .regex(INSTANT_PATTERN)
      .meta({ description, format: 'date-time', examples: [example] }),
  )

/** What the list of payments may be asked for. */
export const listQuery = z.strictObject({
  limit: optionalParameter(
    parseLimit,
    z
      .int()
      .min(1)
      .max(PAYMENTS_PAGE.max)
      .meta({ description: `How many at most; ${PAYMENTS_PAGE.usual} by default.`, examples: [50] }),
  ),
  before: optionalParameter(
    parseBefore,
    transactionId.meta({
      description: 'Only payments with a smaller `transaction_id`: the `next_before` of the page before.',
    }),
  ),
  status: optionalParameter(
    parseStatus,
    paymentStatus.meta({ description: 'Only payments that stand here.', examples: ['failed'] }),
  ),
  delivery: optionalParameter(
    parseDelivery,
    z.enum(['undelivered']).meta({
      description:
        'Only payments with an outcome that your `callback_url` has not answered with a 2xx: one that is still to be delivered, and one that is delivered no more.',
      examples: ['undelivered'],
    }),
  ),
  reference: optionalParameter(
    parseReference,
    z
      .string()
      .min(1)
      .max(MAX_REFERENCE_CHARACTERS)
      .meta({
        description: 'Only payments with exactly this reference of yours.',
        examples: ['INV-2025-001'],
      }),
  ),
  mpesa_receipt: optionalParameter(
    parseReceipt,
    z
      .string()
      .regex(RECEIPT_PATTERN)
      .meta({
        description: "Only the payment that this receipt of M-PESA's proves.",
        examples: ['RKT7S9T2UB'],
      }),
  ),
  phone: optionalParameter(parseMsisdn, phone.meta({ description: 'Only payments of this payer.' })),
  idempotency_key: optionalParameter(
    parseSoughtKey,
    z
      .string()
      .regex(/^[\x20-\x7e]+$/)
      .min(1)
      .max(MAX_IDEMPOTENCY_KEY_CHARACTERS)
      .meta({
        description: 'Only the payment that you requested with this `X-Idempotency-Key`.',
        examples: ['3f6c1b9e-4d6f-4b57-9f4e-0a4f5f1f7f0a'],
      }),
  ),
  created_from: instantParameter(
    'Only payments that were accepted at this instant or later.',
    '2025-05-22T08:00:00Z',
  ),
  created_to: instantParameter(
    'Only payments that were accepted before this instant.',
    '2025-05-23T08:00:00Z',
  ),
})

/** The request for a page, by the names of the core. */
export const toRequest = (query: z.output<typeof listQuery>) => ({
  pageSize: query.limit ?? 0,
  before: query.before,
  state: query.status,
  undeliveredOnly: query.delivery === 'undelivered',
  reference: query.reference,
  receipt: query.mpesa_receipt,
  msisdn: query.phone,
  idempotencyKey: query.idempotency_key,
  createdFrom: query.created_from && timestampFromDate(query.created_from),
  createdTo: query.created_to && timestampFromDate(query.created_to),
})
