import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { callOptions } from '../authenticate.ts'
import { type CheckedBySchema, NO_PARAMETERS } from '../described-route.ts'
import { JSON_TYPE, MESSAGES, Refusal } from '../errors.ts'
import {
  TRANSACTION_PATH,
  transactionAnswer,
  transactionPath,
  wrongTransactionId,
} from './get-transaction.ts'
import { ignoreEmptyBody, NEEDLESS_BODY_ERRORS } from './no-body.ts'
import { TRANSACTION_EXAMPLE, toTransaction } from './transaction.ts'

const operation = partnerOperation({
  operationId: 'cancelTransaction',
  summary: 'Cancel a payment that nobody was prompted for',
  description:
    'Only while the payment is `accepted`. It fails with `result_code` `CANCELLED`, and you are POSTed that outcome like any other. May be repeated: a payment that was cancelled before is answered the same. No body is needed.',
  responses: {
    '202': answer('It is cancelled, and its payer will not be prompted.', transactionAnswer, {
      cancelled: {
        status: 'success',
        transaction: {
          ...TRANSACTION_EXAMPLE,
          status: 'failed',
          merchant_request_id: null,
          checkout_request_id: null,
          result_code: 'CANCELLED',
          result_desc: 'The payment was cancelled before its payer was prompted.',
          mpesa_receipt: null,
          failure: {
            reason: 'cancelled',
            worth_retrying: false,
            message: {
              en: 'The business cancelled this request. Nothing was paid.',
              sw: 'Biashara imeghairi ombi hili. Hakuna kilicholipwa.',
            },
          },
        },
      },
    }),
    '400': wrongTransactionId,
    '404': refusal('You have no such payment.', MESSAGES.noSuchTransaction),
    ...NEEDLESS_BODY_ERRORS,
    '422': refusal(
      'It cannot be cancelled any more: its payer has been prompted, or it has another outcome. Nothing was changed.',
      'the payment is submitted and cannot be cancelled: its payer has the prompt, and may decline it',
    ),
  },
})

/** `POST /api/v1/mpesa/transactions/{transaction_id}/cancel`. Another partner's payment is the same 404 as none. */
export const registerCancelTransaction = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server.withTypeProvider<CheckedBySchema>().post(
    `${TRANSACTION_PATH}/cancel`,
    {
      schema: { params: transactionPath, querystring: NO_PARAMETERS },
      config: { operation },
      onRequest: ignoreEmptyBody,
    },
    async (request, reply) => {
      const { transaction_id: paymentId } = request.params
      const { payment } = await payments.cancelPayment({ paymentId }, callOptions(request))
      if (!payment) throw new Refusal(404, MESSAGES.noSuchTransaction)
      reply.code(202).header('content-type', JSON_TYPE)
      return JSON.stringify({ status: 'success', transaction: toTransaction(payment) })
    },
  )
}
