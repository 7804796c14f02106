import type { Client } from '@connectrpc/connect'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { callHeaders } from '../authenticate.ts'
import { JSON_TYPE } from '../json-type.ts'
import { readJsonObject } from './read-json-object.ts'

export const STK_PUSH_PATH = '/api/v1/mpesa/stk_push'

const FIELDS = ['phone', 'amount', 'reference', 'callback_url']

/** A string that no field of the core takes: refused there, in that field's own turn and words. */
const REFUSED = '\u0000'

const MAX_INT32 = 2_147_483_647

/**
 * `POST /api/v1/mpesa/stk_push`: asks the core for a payment. The three answers are the guide's, to the byte. Nothing is
 * checked here: a value of the wrong type becomes one that the core refuses, so that the order of the checks and their
 * messages exist once.
 */
export const registerPostStkPush = (
  server: FastifyInstance,
  { payments }: { payments: Client<typeof PaymentService> },
): void => {
  server.post<{ Body: Buffer | undefined }>(STK_PUSH_PATH, async (request, reply) => {
    const asked = toPaymentRequest(request, readJsonObject(request.body, FIELDS))
    const { duplicate, paymentId } = await payments.requestPayment(asked, { headers: callHeaders(request) })
    reply.header('content-type', JSON_TYPE)
    return duplicate
      ? `{"status":"duplicate","transaction_id":${paymentId},"message":"Duplicate request (idempotency)"}`
      : `{"status":"success","transaction_id":${paymentId},"message":"STK Push accepted for processing"}`
  })
}

const toPaymentRequest = (request: FastifyRequest, body: Readonly<Record<string, unknown>>) => {
  const reference = toText(body['reference'])
  const idempotencyKey = idempotencyKeyOf(request)
  return {
    msisdn: toText(body['phone']),
    amountKes: toInt32(body['amount']),
    callbackUrl: toText(body['callback_url']),
    ...(reference !== '' && { reference }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  }
}

/** A string as it is, nothing for what is absent or null, and a refused one for any other type or half a character. */
const toText = (value: unknown): string => {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' && value.isWellFormed() ? value : REFUSED
}

/** A number that the core's wire can carry, else 0, which is no amount. */
const toInt32 = (value: unknown): number =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_INT32 ? value : 0

/** Node joins header lines of one name with a comma and a blank: two of these are refused, for which one would count? */
const idempotencyKeyOf = (request: FastifyRequest): string | undefined => {
  const given = request.headers['x-idempotency-key']
  if (typeof given !== 'string') return undefined
  const isOneLine = !given.includes(', ') || request.raw.headersDistinct['x-idempotency-key']?.length === 1
  return isOneLine ? given : REFUSED
}
