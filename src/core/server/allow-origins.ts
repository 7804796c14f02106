import { cors as connectCors } from '@connectrpc/connect'
import cors from 'cors'
import type { NodeRequest, NodeResponse } from './connect-handler.ts'

/** What callers send beside the headers of the protocols, and what they are told. */
const OUR_HEADERS = [
  'authorization',
  'x-api-key',
  'x-partner-id',
  'x-operator',
  'x-operator-bin',
  'x-request-id',
  'traceparent',
  'tracestate',
]
const OUR_ANSWERS = ['retry-after']

/** For how long a browser need not ask again whether it may call, seconds. */
const REMEMBERED_SECONDS = 7_200

/**
 * `answer` for whoever calls, and leave for browsers to call it from pages of `origins`, by the rules of CORS
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Without origins nothing is added: browsers let no page of another
 * origin call.
 */
export const allowOrigins = (
  origins: readonly string[],
  answer: (request: NodeRequest, response: NodeResponse) => void,
): ((request: NodeRequest, response: NodeResponse) => void) => {
  if (origins.length === 0) return answer
  const allow = cors({
    origin: [...origins],
    methods: [...connectCors.allowedMethods],
    allowedHeaders: [...connectCors.allowedHeaders, ...OUR_HEADERS],
    exposedHeaders: [...connectCors.exposedHeaders, ...OUR_ANSWERS],
    maxAge: REMEMBERED_SECONDS,
  })
  return (request, response) => allow(request, response, () => answer(request, response))
}
