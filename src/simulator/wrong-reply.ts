import type { FastifyReply, FastifyRequest } from 'fastify'

const HTML = 'text/html'
const JSON_TYPE = 'application/json'

/** Resolves after so many callback delays; never when the simulator closes before. */
export type Wait = (delays: number) => Promise<void>

/** A call to answer: `right` is the body of its right answer, the request's id that of an error answer. */
export type Call = { request: FastifyRequest; reply: FastifyReply; right: object; wait: Wait }

/** What is answered under a status: its body follows from the right answer and the request's id. */
export type Page = {
  kind: 'page'
  status: number
  type: string
  body: (right: object, requestId: string) => string
}

/** What a call gets in the place of the right answer: what it is, for the documentation, and what comes. */
export type WrongReply = { says: string } & (
  | Page
  /** The connection ends: before the answer, or in its midst. */
  | { kind: 'cut' | 'cut_midway' }
  /** Nothing comes, and the connection stays open. */
  | { kind: 'silence' }
  /** The right answer, after so many delays. */
  | { kind: 'late'; delays: number }
)

/** Sends it. */
export const sendWrong = async (wrong: WrongReply, call: Call): Promise<FastifyReply> => {
  const { request, reply, right } = call
  switch (wrong.kind) {
    case 'page':
      return reply.code(wrong.status).type(wrong.type).send(wrong.body(right, request.id))
    case 'cut':
      reply.hijack()
      request.raw.socket.destroy()
      return reply
    case 'cut_midway':
      return cutMidway(reply, right)
    case 'silence':
      return reply.hijack()
    case 'late':
      await call.wait(wrong.delays)
      return reply.send(right)
    default:
      return wrong satisfies never
  }
}

/** Promises the whole answer, sends half of it and ends the connection. */
const cutMidway = (reply: FastifyReply, right: object): FastifyReply => {
  reply.hijack()
  const length = Buffer.byteLength(JSON.stringify(right))
  reply.raw.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': length })
  reply.raw.write(firstHalf(right), () => reply.raw.destroy())
  return reply
}

/** Thrown by whatever finds that a call is to be refused. */
export class Refused extends Error {
  readonly reply: WrongReply
  constructor(reply: WrongReply) {
    super(reply.says)
    this.reply = reply
  }
}

/**
 * A refusal in Daraja's own form. The first three digits of nearly every code are the HTTP status that it comes with.
 */
const refusal = (code: string, message: string, status = Number(code.slice(0, 3))): WrongReply & Page => ({
  says: `HTTP ${status}, ${code} ${message}`,
  kind: 'page',
  status,
  type: JSON_TYPE,
  body: (_right, requestId) => JSON.stringify({ requestId, errorCode: code, errorMessage: message }),
})

/** The refusal of a field: Daraja names the field in the message. */
export const invalidField = (name: string): WrongReply =>
  refusal('400.002.02', `Bad Request - Invalid ${name}`)

export const INVALID_AUTHENTICATION = refusal('400.008.01', 'Invalid Authentication passed')
export const INVALID_GRANT_TYPE = refusal('400.008.02', 'Invalid grant type passed')
export const INVALID_PAYLOAD = refusal('400.002.05', 'Invalid Request Payload')
export const INVALID_SHORTCODE = refusal('400.003.01', 'Bad Request - Invalid ShortCode')
export const INVALID_REQUEST = refusal('400.003.02', 'Bad Request - Invalid Request')
export const RESOURCE_NOT_FOUND = refusal('404.001.01', 'Resource not found')
export const NO_PRODUCT = refusal('404.003.01', 'Invalid API call as no apiproduct match found')
export const INVALID_ACCESS_TOKEN = refusal('404.001.03', 'Invalid Access Token')
/** The same refusal under the codes that are reported beside the documented one. */
export const INVALID_TOKEN_AS_400 = refusal('400.003.01', 'Invalid Access Token')
export const INVALID_TOKEN_AS_401 = refusal('401.002.01', 'Error Occurred - Invalid Access Token - x')
export const INVALID_AUTHENTICATION_HEADER = refusal('404.001.04', 'Invalid Authentication Header')
export const METHOD_NOT_ALLOWED = refusal('405.001', 'Method Not Allowed')
export const WRONG_CREDENTIALS = refusal('500.001.1001', 'Wrong credentials')
export const UNKNOWN_MERCHANT = refusal('500.001.1001', 'Merchant does not exist')
export const NO_SUCH_TRANSACTION = refusal('500.001.1001', 'The transaction does not Exist')
export const STILL_PROCESSING = refusal('500.001.1001', 'The transaction is being processed')
/** What the query says between right answers: the code is recorded, the words are ours. */
export const NO_ANSWER = refusal('500.001.1001', 'Internal Server Error')
export const SUBSCRIBER_LOCKED = refusal(
  '500.001.1001',
  'Unable to lock subscriber, a transaction is already in process for the current subscriber',
)
export const SPIKE_ARREST = refusal('500.003.02', 'Error Occurred: Spike Arrest Violation')
export const QUOTA_VIOLATION = refusal('500.003.03', 'Error Occurred: Quota Violation', 429)
export const SYSTEM_BUSY = refusal('500.003.02', 'System is busy. Please try again in few minutes.')
export const ALREADY_REGISTERED = refusal('500.003.1001', 'ShortCode already Registered')
export const INTERNAL_SERVER_ERROR = refusal('500.003.1001', 'Internal server error')

/** An answer that is not Daraja's, but of what stands before it. */
const page = (status: number, type: string, body: string, what: string): WrongReply => ({
  says: `HTTP ${status} with ${what}`,
  kind: 'page',
  status,
  type,
  body: () => body,
})

const INCAPSULA = 'Request unsuccessful. Incapsula incident ID: 1234000560123456789-987654321012345678'
/** The page of the edge in front of Daraja (Imperva). */
export const edgePage = (status: number): WrongReply =>
  page(status, HTML, `<html><body>${INCAPSULA}</body></html>`, "the edge's HTML")

const apigeeFault = (faultstring: string, errorcode: string, what: string): WrongReply =>
  page(
    401,
    JSON_TYPE,
    JSON.stringify({ fault: { faultstring, detail: { errorcode } } }),
    `an Apigee fault that ${what}`,
  )

/** Apigee's own refusal of a token. */
export const TOKEN_FAULT = apigeeFault(
  'Invalid Access Token',
  'keymanagement.service.invalid_access_token',
  'names the token',
)

/** Apigee's refusal for another reason than the token. */
export const KEY_FAULT = apigeeFault(
  'Invalid ApiKey for given resource',
  'oauth.v2.InvalidApiKeyForGivenResource',
  'does not name the token',
)

export const GATEWAY_TIMEOUT = page(
  504,
  HTML,
  '<html><body><h1>504 Gateway Time-out</h1></body></html>',
  'HTML',
)

export const emptyPage = (status: number): WrongReply => page(status, JSON_TYPE, '', 'an empty body')

/** The right answer under an HTTP status that contradicts it. */
export const rightUnder = (status: number): WrongReply => ({
  says: `HTTP ${status} with the right answer`,
  kind: 'page',
  status,
  type: JSON_TYPE,
  body: (right) => JSON.stringify(right),
})

const firstHalf = (right: object): string => {
  const whole = JSON.stringify(right)
  return whole.slice(0, Math.floor(whole.length / 2))
}

export const HALF: WrongReply = {
  says: 'HTTP 200 with half of the JSON',
  kind: 'page',
  status: 200,
  type: JSON_TYPE,
  body: firstHalf,
}

export const CUT: WrongReply = { says: 'connection cut without an answer', kind: 'cut' }

export const CUT_MIDWAY: WrongReply = {
  says: 'connection cut in the midst of the answer',
  kind: 'cut_midway',
}

export const SILENCE: WrongReply = { says: 'no answer, the connection stays open', kind: 'silence' }

const LATE_BY_DELAYS = 20
export const LATE: WrongReply = {
  says: `answered after ${LATE_BY_DELAYS} delays`,
  kind: 'late',
  delays: LATE_BY_DELAYS,
}
