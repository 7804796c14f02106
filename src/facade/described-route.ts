import type {
  FastifyInstance,
  FastifySchema,
  FastifySchemaCompiler,
  FastifyTypeProvider,
  onRequestHookHandler,
} from 'fastify'
import { z } from 'zod'
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi'
import { truncateText } from '../values/outside-text.ts'
import { MESSAGES, Refusal } from './errors.ts'
import { readJsonObject } from './request/read-json-object.ts'

// A route that partners call gives Fastify its `schema`: `params`, `querystring` and, where the facade is to judge it,
// `body`, each a `z.strictObject`. The same schemas refuse what does not fit, type what the handler is given, and are
// the parameters and the body of the OpenAPI document. What no request is held against (words, answers, examples)
// stands in the route's `config.operation`.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the OpenAPI document says of the route beyond its schema; a route without it is not in the document. */
    readonly operation?: Operation
  }
}

/** An operation of the document, without what the route's schema says. */
export type Operation = Omit<ZodOpenApiOperationObject, 'parameters'>

/** Types `request.params`, `request.query` and `request.body` by the route's schema. */
export interface CheckedBySchema extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown
}

/** The schema of a path or a query that has no parameters. */
export const NO_PARAMETERS = z.strictObject({})

/** Lets the schemas of the routes of `server` judge their requests. */
export const checkBySchema = (server: FastifyInstance): void => {
  server.addHook('onRequest', refuseMalformedQuery)
  server.setValidatorCompiler(compile)
}

/** Fastify takes what it cannot decode as it stands: whoever asks for `caf%e9` would hear that there is nothing of it. */
const refuseMalformedQuery: onRequestHookHandler = (request, _reply, done) => {
  const isJudged = request.routeOptions.schema?.querystring !== undefined
  const query = request.url.slice(request.url.indexOf('?') + 1)
  done(isJudged && !isDecodable(query) ? new Refusal(400, MESSAGES.malformedQuery) : undefined)
}

const isDecodable = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const compile: FastifySchemaCompiler<unknown> = ({ schema, httpPart }) => {
  if (!(schema instanceof z.ZodObject)) throw new Error(`the schema of ${httpPart} must be an object of zod`)
  const known = Object.keys(schema.shape)
  const kind = httpPart === 'body' ? 'field' : 'parameter'
  const check = (given: unknown): { value: unknown } => {
    const result = schema.safeParse(given)
    if (result.success) return { value: result.data }
    throw new Refusal(400, explain(result.error, kind, known))
  }
  // Fastify hands on null for a body that did not come.
  return httpPart === 'body' ? (body) => check(readJsonObject(body ?? undefined, known)) : check
}

/** How much of a name that is not known is repeated to its sender, characters. */
const SHOWN_CHARACTERS = 64

/** The message about what is wrong first: the field, and what would be right. */
const explain = ({ issues: [issue] }: z.ZodError, kind: string, known: readonly string[]): string => {
  if (issue?.code !== 'unrecognized_keys') return `${issue?.path.join('.')} ${issue?.message}`
  const name = truncateText(issue.keys[0] ?? '', SHOWN_CHARACTERS)
  return `${name} is no ${kind} of this request: ${known.length === 0 ? 'it has none' : `known are ${known.join(', ')}`}`
}

/**
 * Collects what the routes of `server` that are registered from now on say of themselves: the `paths` of the OpenAPI
 * document, in the order of registration.
 */
export const collectPaths = (server: FastifyInstance): ZodOpenApiPathsObject => {
  const paths: ZodOpenApiPathsObject = {}
  server.addHook('onRoute', ({ url, method, schema, config }) => {
    const operation = config?.operation
    // Fastify makes a HEAD of every GET.
    if (operation === undefined || typeof method !== 'string' || method === 'HEAD') return
    const path = url.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [method.toLowerCase()]: toOperation(operation, schema ?? {}) }
  })
  return paths
}

const toOperation = (
  operation: Operation,
  { params, querystring, body }: FastifySchema,
): ZodOpenApiOperationObject => ({
  ...operation,
  requestParams: {
    ...operation.requestParams,
    ...(params instanceof z.ZodObject && { path: params }),
    ...(querystring instanceof z.ZodObject && { query: querystring }),
  },
  ...(body instanceof z.ZodObject && {
    requestBody: {
      required: true,
      ...operation.requestBody,
      content: {
        'application/json': { ...operation.requestBody?.content['application/json'], schema: body },
      },
    },
  }),
})
