import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { parseId } from '../../values/ids.ts'
import { invalid, valid } from '../../values/parsed.ts'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { callOptions } from '../authenticate.ts'
import { type CheckedBySchema, NO_PARAMETERS } from '../described-route.ts'
import { JSON_TYPE, MESSAGES, Refusal } from '../errors.ts'
import { transactionId } from '../fields.ts'
import { parameter } from '../parameter.ts'
import { TRANSACTION_EXAMPLE, toTransaction, transactionSchema } from './transaction.ts'

export const TRANSACTION_PATH = '/api/v1/mpesa/transactions/:transaction_id'

/** The `transaction_id` of a path. */
export const transactionPath = z.strictObject({
  transaction_id: parameter(
    (text) => {
      const id = parseId(text ?? '')
      return id === null ? invalid('must be a positive whole number') : valid(id)
    },
    transactionId.meta({ description: 'The id that the request was answered with.' }),
  ),
})

export const transactionAnswer = z
  .strictObject({ status: z.literal('success'), transaction: transactionSchema })
  .meta({ id: 'TransactionAnswer', description: 'One payment.' })

/** What a `transaction_id` that is none is answered. */
export const wrongTransactionId = refusal(
  '`transaction_id` is not a positive whole number.',
  'transaction_id must be a positive whole number',
)

const operation = partnerOperation({
  operationId: 'getTransaction',
  summary: 'Read one payment',
  responses: {
    '200': answer('The payment as it stands now.', transactionAnswer, {
      paid: { status: 'success', transaction: TRANSACTION_EXAMPLE },
    }),
    '400': wrongTransactionId,
    '404': refusal('You have no such payment.', MESSAGES.noSuchTransaction),
  },
})

/** `GET /api/v1/mpesa/transactions/{transaction_id}`: one payment. Another partner's is the same 404 as none. */
export const registerGetTransaction = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server
    .withTypeProvider<CheckedBySchema>()
    .get(
      TRANSACTION_PATH,
      { schema: { params: transactionPath, querystring: NO_PARAMETERS }, config: { operation } },
      async (request, reply) => {
        const { transaction_id: paymentId } = request.params
        const { payment } = await payments.getPayment({ paymentId }, callOptions(request))
        if (!payment) throw new Refusal(404, MESSAGES.noSuchTransaction)
        reply.header('content-type', JSON_TYPE)
        return JSON.stringify({ status: 'success', transaction: toTransaction(payment) })
      },
    )
}
