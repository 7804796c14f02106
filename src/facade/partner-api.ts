import type { Client } from '@connectrpc/connect'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import type { PaymentService } from '../gen/mpesa/gateway/v1/payments_pb.js'
import type { NoteRefused } from '../runtime/refused-callers.ts'
import type { Spans } from '../runtime/tracing/tracing.ts'
import { requireApiKey } from './authenticate.ts'
import { type BlockedAddresses, refuseBlocked } from './blocked-addresses.ts'
import { checkBySchema } from './described-route.ts'
import { MESSAGES, Refusal } from './errors.ts'
import { registerPostStkPush } from './request/post-stk-push.ts'
import { traceRequests } from './trace-requests.ts'
import { registerCancelTransaction } from './transactions/cancel-transaction.ts'
import { registerGetTransaction } from './transactions/get-transaction.ts'
import { registerListDeliveries } from './transactions/list-deliveries.ts'
import { registerListTransactions } from './transactions/list-transactions.ts'
import { registerResendTransaction } from './transactions/resend-transaction.ts'
import { registerResendTransactions } from './transactions/resend-transactions.ts'

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
    /** Counts callers that are refused; left out: nowhere. */
    noteRefused: NoteRefused | undefined
    /** Makes a span of each request; left out: nobody does here. */
    spans: Spans | undefined
  },
): void => {
  const { payments, blockedAddresses, noteRefused, spans } = options
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )
  // First, so that what is refused is there too.
  if (spans !== undefined) traceRequests(server, spans)
  if (blockedAddresses !== undefined) refuseBlocked(server, { blockedAddresses, noteRefused })
  server.addHook('onRequest', requireApiKey(noteRefused))
  server.addHook('onRequest', refuseCompression)
  checkBySchema(server)
  registerPostStkPush(server, payments)
  registerListTransactions(server, payments)
  registerGetTransaction(server, payments)
  registerCancelTransaction(server, payments)
  registerListDeliveries(server, payments)
  registerResendTransaction(server, payments)
  registerResendTransactions(server, payments)
}

const refuseCompression: onRequestHookHandler = (request, _reply, done) => {
  const encoding = request.headers['content-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'identity') done()
  else done(new Refusal(415, MESSAGES.compressed))
}
