import type { Client } from '@connectrpc/connect'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { callOptions } from '../authenticate.ts'
import { JSON_TYPE } from '../errors.ts'
import { readJsonObject, requireLength } from './read-json-object.ts'
import { readPairs } from './read-pairs.ts'
import { stkPushOperation, stkPushRequest } from './stk-push-schema.ts'

export const STK_PUSH_PATH = '/api/v1/mpesa/stk_push'

const FIELDS = Object.keys(stkPushRequest.shape)

const MAX_INT32 = 2_147_483_647

/**
 * `POST /api/v1/mpesa/stk_push`: asks the core for a payment. The three answers are the guide's, to the byte. No value
 * is judged here: one of a type that the message cannot hold is left out of it and named to the core as unreadable.
 */
export const registerPostStkPush = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server.post<{ Body: Buffer | undefined }>(
    STK_PUSH_PATH,
    { onRequest: requireLength, config: { operation: stkPushOperation } },
    async (request, reply) => {
      const { message, unreadable } = toMessage(readJsonObject(request.body, FIELDS), request)
      const { duplicate, paymentId } = await payments.requestPayment(
        message,
        callOptions(request, unreadable),
      )
      reply.header('content-type', JSON_TYPE)
      return duplicate
        ? `{"status":"duplicate","transaction_id":${paymentId},"message":"Duplicate request (idempotency)"}`
        : `{"status":"success","transaction_id":${paymentId},"message":"STK Push accepted for processing"}`
    },
  )
}

type Body = Readonly<Partial<Record<keyof typeof stkPushRequest.shape, unknown>>>

/** `unreadable`: the core's names of the fields that the message lacks although they were given. */
const toMessage = (body: Body, request: FastifyRequest) => {
  const unreadable: string[] = []
  const read = <Value>(field: string, value: Value | null, absent: Value): Value => {
    if (value === null) unreadable.push(field)
    return value ?? absent
  }
  const reference = read('reference', toText(body.reference), '')
  const message = {
    msisdn: read('msisdn', toText(body.phone), ''),
    amountKes: read('amount_kes', toAmount(body.amount), 0),
    callbackUrl: read('callback_url', toText(body.callback_url), ''),
    reference: reference === '' ? undefined : reference,
    idempotencyKey: read('idempotency_key', idempotencyKeyOf(request), undefined),
    metadata: read('metadata', readPairs(body.metadata ?? {}, unreadable), {}),
    expiresInSeconds: read('expires_in_seconds', toSeconds(body.expires_in), undefined),
  }
  return { message, unreadable }
}

/** A string as it is, an empty one for what is absent or null; null for any other type, and for half a character. */
const toText = (value: unknown): string | null => {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' && value.isWellFormed() ? value : null
}

/** Null for a number in quotes; what else is no whole number is no amount either, as 0 is none. */
const toAmount = (value: unknown): number | null => (typeof value === 'string' ? null : (toInt32(value) ?? 0))

/** A number that the message can hold, else null. */
const toInt32 = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_INT32 ? value : null

/** The same for a number that may be left out. */
const toSeconds = (value: unknown): number | null | undefined =>
  value === undefined || value === null ? undefined : toInt32(value)

/**
 * Node joins repeated headers with a comma and a blank. A repeated one is refused: it is not known which one counts.
 */
const idempotencyKeyOf = (request: FastifyRequest): string | undefined | null => {
  const given = request.headers['x-idempotency-key']
  if (typeof given !== 'string') return undefined
  const isOneLine = !given.includes(', ') || request.raw.headersDistinct['x-idempotency-key']?.length === 1
  return isOneLine ? given : null
}
