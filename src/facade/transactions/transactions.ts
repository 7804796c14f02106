import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import type { Client } from '@connectrpc/connect'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Payment, PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { parseId } from '../../values/ids.ts'
import { toGuideInstant } from '../../values/instant.ts'
import { PAYMENT_STATE_NAMES, parsePaymentState, toPaymentStateName } from '../../values/payment-state.ts'
import { toWireResultCode } from '../../values/result-code.ts'
import { callOptions } from '../authenticate.ts'
import { JSON_TYPE, MESSAGES, Refusal } from '../errors.ts'

export const TRANSACTIONS_PATH = '/api/v1/mpesa/transactions'

/** The routes by which a partner reads its payments. */
export const registerTransactions = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server.get<{ Params: { transaction_id: string } }>(
    `${TRANSACTIONS_PATH}/:transaction_id`,
    async (request, reply) => {
      reply.header('content-type', JSON_TYPE)
      return getTransaction(payments, request.params.transaction_id, request)
    },
  )
  server.get<{ Querystring: Query }>(TRANSACTIONS_PATH, async (request, reply) => {
    reply.header('content-type', JSON_TYPE)
    return listTransactions(payments, request.query, request)
  })
}

/** `GET /api/v1/mpesa/transactions/{transaction_id}`: one payment. Another partner's is the same 404 as none. */
const getTransaction = async (
  payments: Client<typeof PaymentService>,
  transactionId: string,
  request: FastifyRequest,
): Promise<string> => {
  const paymentId = parseId(transactionId)
  if (paymentId === null) throw new Refusal(400, 'transaction_id must be a positive whole number')
  const { payment } = await payments.getPayment({ paymentId }, callOptions(request))
  if (!payment) throw new Refusal(404, MESSAGES.noSuchTransaction)
  return JSON.stringify({ status: 'success', transaction: toTransaction(payment) })
}

/** A parameter that is given twice comes as an array. */
type Query = Readonly<Record<string, string | string[] | undefined>>

/**
 * `GET /api/v1/mpesa/transactions?limit=&before=&status=&delivery=`: the partner's payments, newest first, in pages:
 * `next_before` of one page is `before` of the next, and null on the last.
 */
const listTransactions = async (
  payments: Client<typeof PaymentService>,
  query: Query,
  request: FastifyRequest,
): Promise<string> => {
  const pageSize = toPageSize(query['limit'])
  const asked = {
    pageSize: pageSize ?? 0,
    before: query['before'] === undefined ? undefined : toBefore(query['before']),
    state: query['status'] === undefined ? undefined : toState(query['status']),
    undeliveredOnly: query['delivery'] !== undefined && toUndelivered(query['delivery']),
  }
  const page = await payments.listPayments(
    asked,
    callOptions(request, pageSize === null ? ['page_size'] : []),
  )
  return JSON.stringify({
    status: 'success',
    transactions: page.payments.map(toTransaction),
    next_before: page.nextBefore === undefined ? null : Number(page.nextBefore),
  })
}

/** 0 stands for the core's default, so a 0 that was asked for is null, as is whatever else the message cannot hold. */
const toPageSize = (limit: string | string[] | undefined): number | null => {
  if (limit === undefined) return 0
  return typeof limit === 'string' && /^[1-9]\d{0,8}$/.test(limit) ? Number(limit) : null
}

const toBefore = (before: string | string[]): bigint => {
  const id = typeof before === 'string' ? parseId(before) : null
  if (id === null) throw new Refusal(400, 'before must be a transaction_id, a positive whole number')
  return id
}

const toState = (status: string | string[]) => {
  const state = typeof status === 'string' ? parsePaymentState(status) : null
  if (state === null) throw new Refusal(400, `status must be one of ${PAYMENT_STATE_NAMES.join(', ')}`)
  return state
}

/** There is one value only, so that a partner who misspells it does not take all its payments for what it missed. */
const toUndelivered = (delivery: string | string[]): true => {
  if (delivery !== 'undelivered') throw new Refusal(400, 'delivery must be undelivered, or left out')
  return true
}

/** A payment as partners see it: the guide's field names, in the order of its callback; instants in UTC. */
const toTransaction = (payment: Payment): Record<string, string | number | null> => ({
  transaction_id: Number(payment.paymentId),
  status: toPaymentStateName(payment.state),
  phone: payment.msisdn,
  amount: payment.amountKes,
  reference: payment.reference ?? null,
  callback_url: payment.callbackUrl,
  merchant_request_id: payment.merchantRequestId ?? null,
  checkout_request_id: payment.checkoutRequestId ?? null,
  result_code: payment.resultCode === undefined ? null : toWireResultCode(payment.resultCode),
  result_desc: payment.resultDesc ?? null,
  mpesa_receipt: payment.receipt ?? null,
  transaction_date: toInstant(payment.transactionDate),
  created_at: toInstant(payment.createdAt),
})

const toInstant = (timestamp: Timestamp | undefined): string | null =>
  timestamp === undefined ? null : toGuideInstant(timestampDate(timestamp))
