import type { IncomingMessage } from 'node:http'
import { parseRequestId } from '../values/request-id.ts'

/** Tells the id of a request, or makes a new one when there is no request to ask (HTTP that could not be parsed). */
export type RequestIds = (request?: IncomingMessage) => string

/**
 * The caller's `X-Request-Id` if it is sane, else a fresh one: 96 random bits that are this process's own, and a count. One
 * random draw for the process instead of one a request: the id must be unique, not secret.
 */
export const createRequestIds = (randomBytes: (count: number) => Buffer): RequestIds => {
  const prefix = randomBytes(12).toString('hex')
  let count = 0
  return (request) => {
    const given = parseRequestId(request?.headers['x-request-id'])
    if (given !== undefined) return given
    count += 1
    return `${prefix}-${count.toString(36)}`
  }
}
