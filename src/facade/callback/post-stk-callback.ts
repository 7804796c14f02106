import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import type { DarajaCallbackService } from '../../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { JSON_TYPE } from '../errors.ts'

export const STK_CALLBACK_PATH = '/callbacks/stk/:token'

/** Daraja's callbacks have about 500 bytes; what it may send one day has room, what floods us has not. */
export const MAX_CALLBACK_BYTES = 64 * 1024

/** The answer that Daraja expects (observed). */
const ACKNOWLEDGEMENT = '{"ResultCode":0,"ResultDesc":"Success"}'

/**
 * `POST /callbacks/stk/{token}`: hands Daraja's callback to the core as it came, whatever it is and whatever it is
 * called, and acknowledges it once it is durable, for Daraja delivers once (law 3). The token is a secret: it is in no
 * log line.
 */
export const registerPostStkCallback = (
  server: FastifyInstance,
  darajaCallbacks: Client<typeof DarajaCallbackService>,
): void => {
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  server.addHook('onRequest', (request, _reply, done) => {
    // Fastify refuses a content type that it cannot parse, so it is shown none. What is kept are the raw headers.
    delete request.headers['content-type']
    done()
  })
  server.post<{ Params: { token: string }; Querystring: { nonce?: unknown }; Body: Buffer | undefined }>(
    STK_CALLBACK_PATH,
    { bodyLimit: MAX_CALLBACK_BYTES },
    async (request, reply) => {
      await darajaCallbacks.receiveStkCallback({
        token: request.params.token,
        nonce: typeof request.query.nonce === 'string' ? request.query.nonce : '',
        body: request.body ?? Buffer.alloc(0),
        headers: pairsOf(request.raw.rawHeaders),
        sourceAddress: request.clientAddress,
      })
      reply.header('content-type', JSON_TYPE)
      return ACKNOWLEDGEMENT
    },
  )
}

/** Node lists names and values alternately. */
const pairsOf = (rawHeaders: readonly string[]): { name: string; value: string }[] => {
  const pairs = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    pairs.push({ name: rawHeaders[index] ?? '', value: rawHeaders[index + 1] ?? '' })
  }
  return pairs
}
