import type { ConnectError } from '@connectrpc/connect'
import { errorToJsonBytes } from '@connectrpc/connect/protocol-connect'
import type { universalResponseToNodeResponse } from '@connectrpc/connect-node'
import { z } from 'zod'
import { failure } from '../services/failure.ts'

type UniversalResponse = Parameters<typeof universalResponseToNodeResponse>[0]

/** The error for a caller whose bytes are no message of the method's. */
export const notDecoded = (error: unknown): ConnectError =>
  failure(
    'REQUEST_NOT_DECODED',
    `the request cannot be decoded: ${error instanceof Error ? error.message : String(error)}`,
  )

/** How Connect's own handlers begin their message about such bytes, which they report as a defect of the server's. */
const BINARY_PREFIX = 'parse binary: '

const errorBody = z.object({
  code: z.string().default(''),
  message: z.string().default(''),
  details: z.array(z.unknown()).optional(),
})

/** What Connect's handlers refuse without a word, by its HTTP status. */
const UNSPOKEN: ReadonlyMap<number, { code: string; message: string }> = new Map([
  [404, { code: 'unimplemented', message: 'there is no such method' }],
  [405, { code: 'unimplemented', message: 'the method takes POST; one that only reads also GET' }],
  [
    415,
    {
      code: 'unimplemented',
      message:
        'the content type must be application/json, application/proto, application/grpc-web or, over HTTP/2, application/grpc',
    },
  ],
  [505, { code: 'unimplemented', message: 'the method streams both ways, which takes HTTP/2' }],
])

/** The answer to a call of no method that there is. */
export const NO_SUCH_METHOD: UniversalResponse = { status: 404 }

/**
 * An answer over Connect as its caller can use it: bytes that are no message are its own fault, with a reason, and what
 * Connect's handlers refuse without a body has one. The status of gRPC and gRPC-Web is in trailers, and is left.
 */
export const explainRefusal = async (response: UniversalResponse): Promise<UniversalResponse> => {
  if (response.status < 400) return response
  if (response.body === undefined) {
    const unspoken = UNSPOKEN.get(response.status)
    return unspoken === undefined
      ? response
      : withBody(response, response.status, Buffer.from(JSON.stringify(unspoken)))
  }
  const isPlain = !new Headers(response.header).has('content-encoding')
  if (!isPlain) return response
  const body = Buffer.concat(await Array.fromAsync(response.body))
  const { code, message, details } = errorBody.parse(JSON.parse(body.toString()))
  const isBinary = message.startsWith(BINARY_PREFIX)
  if (details !== undefined || !(isBinary || code === 'invalid_argument'))
    return withBody(response, response.status, body)
  const error = notDecoded(isBinary ? message.slice(BINARY_PREFIX.length) : message)
  return withBody(response, 400, errorToJsonBytes(error, undefined))
}

const withBody = (response: UniversalResponse, status: number, body: Uint8Array): UniversalResponse => {
  const header = new Headers(response.header)
  header.set('content-type', 'application/json')
  header.set('content-length', String(body.length))
  return { ...response, status, header, body: once(body) }
}

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk
}
