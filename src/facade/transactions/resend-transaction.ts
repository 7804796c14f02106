import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { ChangeOutcome } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { callOptions } from '../authenticate.ts'
import { type CheckedBySchema, NO_PARAMETERS } from '../described-route.ts'
import { JSON_TYPE, MESSAGES } from '../errors.ts'
import { DELIVERY_EXAMPLE, deliverySchema, toDelivery } from './delivery.ts'
import { TRANSACTION_PATH, transactionPath, wrongTransactionId } from './get-transaction.ts'
import { ignoreEmptyBody, NEEDLESS_BODY_ERRORS } from './no-body.ts'

const resendAnswer = z
  .strictObject({
    status: z.literal('success'),
    result: z.enum(['resent', 'held', 'waiting', 'under_way']).meta({
      description:
        '`resent`: it is sent now. `held`: it is sent when your endpoint is back. `waiting`: it was about to be sent. `under_way`: it is being sent.',
      examples: ['resent'],
    }),
    delivery: deliverySchema,
  })
  .meta({
    id: 'ResendAnswer',
    description: 'What is done with the outcome, and how its delivery stands now.',
  })

type ResendAnswer = z.output<typeof resendAnswer>

/** By what the core did; what it does to nothing that it found is not here. */
const RESULTS: ReadonlyMap<ChangeOutcome, ResendAnswer['result']> = new Map([
  [ChangeOutcome.RETRIED, 'resent'],
  [ChangeOutcome.HELD, 'held'],
  [ChangeOutcome.WAITING, 'waiting'],
  [ChangeOutcome.UNDER_WAY, 'under_way'],
])

const operation = partnerOperation({
  operationId: 'resendOutcome',
  summary: 'Have the outcome of a payment sent again',
  description:
    'Its latest outcome is POSTed to its `callback_url` once more, under the `webhook-id` that it had: also one that was delivered, is dead, or waits for a later attempt. May be repeated. No body is needed.',
  responses: {
    '202': answer('It is sent now, or as soon as your endpoint is back.', resendAnswer, {
      held: { status: 'success', result: 'held', delivery: DELIVERY_EXAMPLE },
    }),
    '400': wrongTransactionId,
    '404': refusal('You have no such payment.', MESSAGES.noSuchTransaction),
    ...NEEDLESS_BODY_ERRORS,
    '422': refusal(
      'It has no outcome yet.',
      'the payment is submitted: it has no outcome yet that could be sent again',
    ),
  },
})

/** `POST /api/v1/mpesa/transactions/{transaction_id}/resend`. Another partner's payment is the same 404 as none. */
export const registerResendTransaction = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server.withTypeProvider<CheckedBySchema>().post(
    `${TRANSACTION_PATH}/resend`,
    {
      schema: { params: transactionPath, querystring: NO_PARAMETERS },
      config: { operation },
      onRequest: ignoreEmptyBody,
    },
    async (request, reply) => {
      const { transaction_id: paymentId } = request.params
      const { outcome, delivery } = await payments.resendOutcome({ paymentId }, callOptions(request))
      const result = RESULTS.get(outcome)
      if (result === undefined || delivery === undefined)
        throw new Error(`the core said ${outcome} of an outcome`)
      const body: ResendAnswer = { status: 'success', result, delivery: toDelivery(delivery) }
      reply.code(202).header('content-type', JSON_TYPE)
      return JSON.stringify(body)
    },
  )
}
