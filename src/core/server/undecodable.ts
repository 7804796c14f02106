import { Code, ConnectError } from '@connectrpc/connect'
import type { universalResponseToNodeResponse } from '@connectrpc/connect-node'
import { z } from 'zod'

type UniversalResponse = Parameters<typeof universalResponseToNodeResponse>[0]

/** The error for a caller whose bytes are no message of the method's. */
export const notDecoded = (error: unknown): ConnectError =>
  new ConnectError(
    `the request cannot be decoded: ${error instanceof Error ? error.message : String(error)}`,
    Code.InvalidArgument,
  )

/** How Connect's own handlers begin their message about such bytes, which they report as a defect of the server's. */
const DECODE_ERROR_PREFIX = 'parse binary: '

const errorBody = z.object({ message: z.string().default('') })

/** An answer over Connect, or the bad request that it should be. gRPC-Web's status is in its trailers, and is left. */
export const toInvalidArgument = async (response: UniversalResponse): Promise<UniversalResponse> => {
  const isPlain = !new Headers(response.header).has('content-encoding')
  if (response.status !== 500 || response.body === undefined || !isPlain) return response
  const chunks = await Array.fromAsync(response.body)
  const { message } = errorBody.parse(JSON.parse(Buffer.concat(chunks).toString()))
  if (!message.startsWith(DECODE_ERROR_PREFIX)) return { ...response, body: chunksOf(chunks) }
  const error = notDecoded(message.slice(DECODE_ERROR_PREFIX.length))
  const body = Buffer.from(JSON.stringify({ code: 'invalid_argument', message: error.rawMessage }))
  const header = new Headers(response.header)
  header.set('content-length', String(body.length))
  return { ...response, status: 400, header, body: chunksOf([body]) }
}

async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
