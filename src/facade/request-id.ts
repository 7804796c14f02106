import type { IncomingMessage } from 'node:http'

/** Tells the id of a request, or makes a new one when there is no request to ask (HTTP that could not be parsed). */
export type RequestIds = (request?: IncomingMessage) => string

/** What a caller may choose: long enough for every tracing system, and harmless in a log, a header and an error message. */
const SANE_ID = /^[A-Za-z0-9._-]{1,128}$/

/**
 * The caller's `X-Request-Id` if it is sane, else a fresh one: 96 random bits that are this process's own, and a count. One
 * random draw for the process instead of one a request: the id must be unique, not secret.
 */
export const createRequestIds = (randomBytes: (count: number) => Buffer): RequestIds => {
  const prefix = randomBytes(12).toString('hex')
  let count = 0
  return (request) => {
    const given = request?.headers['x-request-id']
    if (typeof given === 'string' && SANE_ID.test(given)) return given
    count += 1
    return `${prefix}-${count.toString(36)}`
  }
}
