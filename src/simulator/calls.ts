import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { z } from 'zod'
import type { Log } from '../runtime/log.ts'
import { fromDarajaTimestamp } from '../values/instant.ts'
import type { Ids } from './ids.ts'
import type { Wait, WrongReply } from './wrong-reply.ts'
import * as wrong from './wrong-reply.ts'

const MAX_BODY_BYTES = 64 * 1024

type Request = FastifyRequest<{ Querystring: Record<string, unknown> }>

/**
 * Takes the calls of one of Daraja's paths. `right` is sent as JSON, or `wrong` in its place, or a `Refused` that is
 * thrown.
 */
export type Route = (
  method: 'GET' | 'POST',
  path: string,
  handle: (request: Request) => Answer | Promise<Answer>,
) => void

type Answer = { right: object; wrong: WrongReply | undefined }

/** Creates the server, without routes, and what adds Daraja's. */
export const createServer = (options: {
  ids: Ids
  log: Log
  wait: Wait
}): { server: FastifyInstance; route: Route } => {
  const { ids, log, wait } = options
  const server = fastify({
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    genReqId: () => ids.requestId(),
  })
  // Clients differ in what they call their JSON; the routes read the bytes, whatever their type.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  const paths = new Set<string>()
  const route: Route = (method, url, handle) => {
    paths.add(url)
    const handler = async (request: Request, reply: FastifyReply) => {
      const answer = await handle(request)
      const { right } = answer
      return answer.wrong ? wrong.sendWrong(answer.wrong, { request, reply, right, wait }) : reply.send(right)
    }
    server.route({ method, url, handler })
  }
  server.setNotFoundHandler((request, reply) => {
    const isKnown = paths.has(request.url.split('?', 1)[0] ?? '')
    const refusal = isKnown ? wrong.METHOD_NOT_ALLOWED : wrong.RESOURCE_NOT_FOUND
    return wrong.sendWrong(refusal, { request, reply, right: {}, wait })
  })
  server.setErrorHandler<Error & { statusCode?: number }>((thrown, request, reply) => {
    const isTheirs = thrown.statusCode !== undefined && thrown.statusCode < 500
    const refused = thrown instanceof wrong.Refused
    if (!isTheirs && !refused) log.error({ err: thrown }, 'request failed')
    const other = isTheirs ? wrong.INVALID_PAYLOAD : wrong.INTERNAL_SERVER_ERROR
    return wrong.sendWrong(refused ? thrown.reply : other, { request, reply, right: {}, wait })
  })
  return { server, route }
}

/** A field that is there, as a string or a number, and whose text is accepted. */
export const field = (accepts: (text: string) => boolean) =>
  z.union([z.string(), z.number()]).transform(String).refine(accepts)

export const shortcodeField = field((text) => /^\d{5,7}$/.test(text))

/** What every request about a push must say: who asks, and when. */
export const SIGNED = z.object({
  BusinessShortCode: shortcodeField,
  Password: field((text) => text !== ''),
  // Whether as East Africa Time or as UTC, the digits must name an instant.
  Timestamp: field((text) => fromDarajaTimestamp(text) !== null),
})

/**
 * Reads a request's bytes as JSON of the given shape; throws `Refused`, which names the first field, in the shape's
 * order, that is missing or wrong. Fields that the shape does not know are ignored.
 */
export const readFields = <Shape extends z.ZodObject>(bytes: unknown, shape: Shape): z.infer<Shape> => {
  const parsed = shape.safeParse(parseJson(bytes))
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path[0]
  if (typeof field !== 'string') throw new wrong.Refused(wrong.INVALID_PAYLOAD)
  throw new wrong.Refused(wrong.invalidField(field === 'TransactionDesc' ? 'Remarks' : field))
}

/** What bytes say as JSON; undefined when they are none. */
export const parseJson = (bytes: unknown): unknown => {
  try {
    return JSON.parse(String(bytes))
  } catch {
    return undefined
  }
}

/**
 * Throws `Refused` unless the password is base64 of shortcode + passkey + timestamp. The simulator knows no passkeys:
 * any that is not empty is good.
 */
export const checkPassword = (signed: {
  BusinessShortCode: string
  Password: string
  Timestamp: string
}): void => {
  const { BusinessShortCode: shortcode, Timestamp: timestamp } = signed
  const decoded = Buffer.from(signed.Password, 'base64').toString()
  const isRight =
    decoded.startsWith(shortcode) &&
    decoded.endsWith(timestamp) &&
    decoded.length > shortcode.length + timestamp.length
  if (!isRight) throw new wrong.Refused(wrong.WRONG_CREDENTIALS)
}
