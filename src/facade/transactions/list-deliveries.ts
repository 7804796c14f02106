import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { callOptions } from '../authenticate.ts'
import { type CheckedBySchema, NO_PARAMETERS } from '../described-route.ts'
import { JSON_TYPE, MESSAGES } from '../errors.ts'
import {
  ATTEMPT_EXAMPLE,
  attemptSchema,
  DELIVERY_EXAMPLE,
  deliverySchema,
  toAttempt,
  toDelivery,
} from './delivery.ts'
import { TRANSACTION_PATH, transactionPath, wrongTransactionId } from './get-transaction.ts'

const deliveriesAnswer = z
  .strictObject({
    status: z.literal('success'),
    deliveries: z
      .array(
        z.strictObject({
          delivery: deliverySchema,
          attempts: z.array(attemptSchema).meta({ description: 'Oldest first; the latest 20 of them.' }),
        }),
      )
      .meta({
        description: 'Oldest first, one for each outcome: none until there is one, two after a late success.',
      }),
  })
  .meta({ id: 'DeliveriesAnswer', description: 'What was sent to you of one payment.' })

const operation = partnerOperation({
  operationId: 'listDeliveries',
  summary: 'See what you were sent of a payment, and how you answered',
  responses: {
    '200': answer('Its deliveries, with their attempts.', deliveriesAnswer, {
      held: {
        status: 'success',
        deliveries: [{ delivery: DELIVERY_EXAMPLE, attempts: [ATTEMPT_EXAMPLE] }],
      },
    }),
    '400': wrongTransactionId,
    '404': refusal('You have no such payment.', MESSAGES.noSuchTransaction),
  },
})

/** `GET /api/v1/mpesa/transactions/{transaction_id}/deliveries`. Another partner's payment is the same 404 as none. */
export const registerListDeliveries = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server
    .withTypeProvider<CheckedBySchema>()
    .get(
      `${TRANSACTION_PATH}/deliveries`,
      { schema: { params: transactionPath, querystring: NO_PARAMETERS }, config: { operation } },
      async (request, reply) => {
        const { transaction_id: paymentId } = request.params
        const found = await payments.listPaymentDeliveries({ paymentId }, callOptions(request))
        const body: z.output<typeof deliveriesAnswer> = {
          status: 'success',
          deliveries: found.deliveries.flatMap(({ delivery, attempts }) =>
            delivery === undefined
              ? []
              : [{ delivery: toDelivery(delivery), attempts: attempts.map(toAttempt) }],
          ),
        }
        reply.header('content-type', JSON_TYPE)
        return JSON.stringify(body)
      },
    )
}
