import type { Client } from '@connectrpc/connect'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import type { PaymentService } from '../gen/mpesa/gateway/v1/payments_pb.js'
import { requireApiKey } from './authenticate.ts'
import { type BlockedAddresses, refuseBlocked } from './blocked-addresses.ts'
import { MESSAGES, Refusal } from './errors.ts'
import { registerPostStkPush } from './request/post-stk-push.ts'
import { registerTransactions } from './transactions/transactions.ts'

/**
 * Everything that partners call. A request is refused for the first of: no API key, a body that is not plain JSON by
 * its headers, one that is too large, one that is not JSON; then the core judges it.
 */
export const registerPartnerApi = (
  server: FastifyInstance,
  options: {
    payments: Client<typeof PaymentService>
    /** Who is made to wait; nobody when left out. */
    blockedAddresses: BlockedAddresses | undefined
  },
): void => {
  const { payments, blockedAddresses } = options
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  if (blockedAddresses !== undefined) refuseBlocked(server, blockedAddresses)
  server.addHook('onRequest', requireApiKey)
  server.addHook('onRequest', refuseCompression)
  registerPostStkPush(server, payments)
  registerTransactions(server, payments)
}

const refuseCompression: onRequestHookHandler = (request, _reply, done) => {
  const encoding = request.headers['content-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'identity') done()
  else done(new Refusal(415, MESSAGES.compressed))
}
