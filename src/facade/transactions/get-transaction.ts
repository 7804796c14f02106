import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { parseId } from '../../values/ids.ts'
import { callHeaders } from '../authenticate.ts'
import { MESSAGES, Refusal } from '../errors.ts'
import { JSON_TYPE } from '../json-type.ts'
import { toTransaction } from './transaction.ts'

export const TRANSACTION_PATH = '/api/v1/mpesa/transactions/:transaction_id'

/** `GET /api/v1/mpesa/transactions/{transaction_id}`: one payment. Another partner's is the same 404 as none. */
export const registerGetTransaction = (
  server: FastifyInstance,
  { payments }: { payments: Client<typeof PaymentService> },
): void => {
  server.get<{ Params: { transaction_id: string } }>(TRANSACTION_PATH, async (request, reply) => {
    const paymentId = parseId(request.params.transaction_id)
    if (paymentId === null) throw new Refusal(400, 'transaction_id must be a positive whole number')
    const { payment } = await payments.getPayment({ paymentId }, { headers: callHeaders(request) })
    if (!payment) throw new Refusal(404, MESSAGES.noSuchTransaction)
    reply.header('content-type', JSON_TYPE)
    return JSON.stringify({ status: 'success', transaction: toTransaction(payment) })
  })
}
