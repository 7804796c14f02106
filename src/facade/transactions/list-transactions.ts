import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { parseId } from '../../values/ids.ts'
import { callHeaders } from '../authenticate.ts'
import { Refusal } from '../errors.ts'
import { JSON_TYPE } from '../json-type.ts'
import { STATUSES, toTransaction } from './transaction.ts'

export const TRANSACTIONS_PATH = '/api/v1/mpesa/transactions'

/** A parameter that is given twice comes as an array. */
type Query = Readonly<Record<string, string | string[] | undefined>>

/** A page size that the core refuses, in its own words. */
const REFUSED_PAGE_SIZE = -1

/**
 * `GET /api/v1/mpesa/transactions?limit=&before=&status=&delivery=`: the partner's payments, newest first, in pages: `next_before` of
 * one page is `before` of the next, and null on the last.
 */
export const registerListTransactions = (
  server: FastifyInstance,
  { payments }: { payments: Client<typeof PaymentService> },
): void => {
  server.get<{ Querystring: Query }>(TRANSACTIONS_PATH, async (request, reply) => {
    const page = await payments.listPayments(toListRequest(request.query), { headers: callHeaders(request) })
    reply.header('content-type', JSON_TYPE)
    return JSON.stringify({
      status: 'success',
      transactions: page.payments.map(toTransaction),
      next_before: page.nextBefore === undefined ? null : Number(page.nextBefore),
    })
  })
}

const toListRequest = (query: Query) => ({
  pageSize: toPageSize(query['limit']),
  ...(query['before'] !== undefined && { before: toBefore(query['before']) }),
  ...(query['status'] !== undefined && { state: toState(query['status']) }),
  ...(query['delivery'] !== undefined && { undeliveredOnly: toUndelivered(query['delivery']) }),
})

/** 0 stands for the core's default, so that a 0 which was asked for must not pass as one. */
const toPageSize = (limit: string | string[] | undefined): number => {
  if (limit === undefined) return 0
  return typeof limit === 'string' && /^[1-9]\d{0,8}$/.test(limit) ? Number(limit) : REFUSED_PAGE_SIZE
}

const toBefore = (before: string | string[]): bigint => {
  const id = typeof before === 'string' ? parseId(before) : null
  if (id === null) throw new Refusal(400, 'before must be a transaction_id, a positive whole number')
  return id
}

const toState = (status: string | string[]) => {
  const state = typeof status === 'string' ? STATUSES.get(status) : undefined
  if (state === undefined) throw new Refusal(400, `status must be one of ${[...STATUSES.keys()].join(', ')}`)
  return state
}

/** There is one value only, so that a partner who misspells it does not take all its payments for what it missed. */
const toUndelivered = (delivery: string | string[]): true => {
  if (delivery !== 'undelivered') throw new Refusal(400, 'delivery must be undelivered, or left out')
  return true
}
