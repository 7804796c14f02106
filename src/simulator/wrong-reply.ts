import type { FastifyReply, FastifyRequest } from 'fastify'
import { type DarajaError, errorBody } from './daraja-errors.ts'
import type { Wait } from './timers.ts'

/** An answer that a call gets in the place of the right one. */
export type WrongReply =
  | { kind: 'error'; error: DarajaError }
  /** Not from Daraja but from what stands before it, or nothing at all. */
  | { kind: 'page'; status: number; type: 'html' | 'json'; body: string; says: string }
  /** The right answer under an HTTP status that contradicts it. */
  | { kind: 'status'; status: number }
  /** HTTP 200 and the right answer, without its second half. */
  | { kind: 'half' }
  /** The connection ends without one byte of an answer. */
  | { kind: 'cut' }
  /** The connection ends in the midst of the right answer. */
  | { kind: 'cut-midway' }
  /** Nothing comes, and the connection stays. */
  | { kind: 'silence' }
  /** The right answer, but so many callback delays later. */
  | { kind: 'late'; afterDelays: number }

/** A refusal in Daraja's own form. */
export const refusal = (error: DarajaError): WrongReply => ({ kind: 'error', error })

/** The page of the edge in front of Daraja (Imperva). */
const edgePage = (status: number): WrongReply => ({
  kind: 'page',
  status,
  type: 'html',
  body: '<html><body>Request unsuccessful. Incapsula incident ID: 1234000560123456789-987654321012345678</body></html>',
  says: "the edge's HTML",
})

export const EDGE_FORBIDDEN = edgePage(403)
export const EDGE_UNAVAILABLE = edgePage(503)

/** Apigee's own refusal of a token. */
export const TOKEN_FAULT: WrongReply = {
  kind: 'page',
  status: 401,
  type: 'json',
  body: '{"fault":{"faultstring":"Invalid Access Token","detail":{"errorcode":"keymanagement.service.invalid_access_token"}}}',
  says: 'an Apigee fault that names the token',
}

/** Apigee's refusal for another reason than the token. */
export const KEY_FAULT: WrongReply = {
  kind: 'page',
  status: 401,
  type: 'json',
  body: '{"fault":{"faultstring":"Invalid ApiKey for given resource","detail":{"errorcode":"oauth.v2.InvalidApiKeyForGivenResource"}}}',
  says: 'an Apigee fault that does not name the token',
}

export const GATEWAY_TIMEOUT: WrongReply = {
  kind: 'page',
  status: 504,
  type: 'html',
  body: '<html><body><h1>504 Gateway Time-out</h1></body></html>',
  says: 'HTML',
}

export const emptyPage = (status: number): WrongReply => ({
  kind: 'page',
  status,
  type: 'json',
  body: '',
  says: 'an empty body',
})

/** A wrong reply in words, for the documentation. */
export const wrongReplyText = (wrong: WrongReply): string => {
  switch (wrong.kind) {
    case 'error':
      return `HTTP ${wrong.error.status}, ${wrong.error.code} ${wrong.error.message}`
    case 'page':
      return `HTTP ${wrong.status} with ${wrong.says}`
    case 'status':
      return `HTTP ${wrong.status} with the right answer`
    case 'half':
      return 'HTTP 200 with half of the JSON'
    case 'cut':
      return 'connection cut without an answer'
    case 'cut-midway':
      return 'connection cut in the midst of the answer'
    case 'silence':
      return 'no answer, the connection stays open'
    case 'late':
      return `answered after ${wrong.afterDelays} delays`
    default:
      return wrong satisfies never
  }
}

/** Answers a call with `right`, HTTP 200, or with what is to come in its place. */
export const answer = async (options: {
  wrong: WrongReply | null
  right: Record<string, unknown>
  requestId: string
  wait: Wait
  request: FastifyRequest
  reply: FastifyReply
}): Promise<FastifyReply> => {
  const { wrong, right, request, reply } = options
  switch (wrong?.kind) {
    case undefined:
      return reply.send(right)
    case 'error':
      return reply.code(wrong.error.status).send(errorBody(wrong.error, options.requestId))
    case 'page':
      return reply.code(wrong.status).type(CONTENT_TYPES[wrong.type]).send(wrong.body)
    case 'status':
      return reply.code(wrong.status).send(right)
    case 'half':
      return reply.type(CONTENT_TYPES.json).send(firstHalf(right))
    case 'cut':
      reply.hijack()
      request.raw.socket.destroy()
      return reply
    case 'cut-midway':
      return cutMidway(reply, right)
    case 'silence':
      reply.hijack()
      return reply
    case 'late':
      await options.wait(wrong.afterDelays)
      return reply.send(right)
    default:
      return wrong satisfies never
  }
}

const CONTENT_TYPES = { html: 'text/html', json: 'application/json' }

const firstHalf = (right: Record<string, unknown>): string => {
  const whole = JSON.stringify(right)
  return whole.slice(0, Math.floor(whole.length / 2))
}

/** Promises the whole answer, sends half of it and ends the connection. */
const cutMidway = (reply: FastifyReply, right: Record<string, unknown>): FastifyReply => {
  reply.hijack()
  const length = Buffer.byteLength(JSON.stringify(right))
  reply.raw.writeHead(200, { 'content-type': CONTENT_TYPES.json, 'content-length': length })
  reply.raw.write(firstHalf(right), () => reply.raw.destroy())
  return reply
}
