import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { PAYMENTS_PAGE } from '../../values/page-size.ts'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { callOptions } from '../authenticate.ts'
import { type CheckedBySchema, NO_PARAMETERS } from '../described-route.ts'
import { JSON_TYPE } from '../errors.ts'
import { listQuery, toRequest } from './list-query.ts'
import { TRANSACTION_EXAMPLE, toTransaction, transactionSchema } from './transaction.ts'

export const TRANSACTIONS_PATH = '/api/v1/mpesa/transactions'

const transactionsAnswer = z
  .strictObject({
    status: z.literal('success'),
    transactions: z.array(transactionSchema).meta({ description: 'Newest first.' }),
    next_before: z
      .int()
      .nullable()
      .meta({ description: 'The `before` of the next page; null on the last.', examples: [102] }),
  })
  .meta({ id: 'TransactionsAnswer', description: 'One page of payments.' })

type TransactionsAnswer = z.output<typeof transactionsAnswer>

const operation = partnerOperation({
  operationId: 'listTransactions',
  summary: 'Find your payments, newest first',
  description: 'Lists those that fit every parameter that is given.',
  responses: {
    '200': answer('One page.', transactionsAnswer, {
      page: { status: 'success', transactions: [TRANSACTION_EXAMPLE], next_before: null },
    }),
    '400': refusal(
      'A parameter is wrong, or is none of these.',
      `limit must be a whole number from 1 to ${PAYMENTS_PAGE.max}`,
    ),
  },
})

/**
 * `GET /api/v1/mpesa/transactions?reference=&limit=…`: the partner's payments that fit every parameter, newest first,
 * in pages: `next_before` of one page is `before` of the next, and null on the last.
 */
export const registerListTransactions = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server
    .withTypeProvider<CheckedBySchema>()
    .get(
      TRANSACTIONS_PATH,
      { schema: { params: NO_PARAMETERS, querystring: listQuery }, config: { operation } },
      async (request, reply) => {
        const page = await payments.listPayments(toRequest(request.query), callOptions(request))
        const body: TransactionsAnswer = {
          status: 'success',
          transactions: page.payments.map(toTransaction),
          next_before: page.nextBefore === undefined ? null : Number(page.nextBefore),
        }
        reply.header('content-type', JSON_TYPE)
        return JSON.stringify(body)
      },
    )
}
