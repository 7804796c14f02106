import { createContextKey, type HandlerContext } from '@connectrpc/connect'
import { parseRequestId } from '../values/request-id.ts'
import { parseTraceId } from '../values/traceparent.ts'

/** True for a call that came from this very process, whose caller needs no token. */
export const inProcessCall = createContextKey(false, { description: 'the call came from this process' })

/**
 * The address that a call came from; set by the server that took it, or by the facade beside the core, which knows
 * better than its own connection does. No caller can set it. What a facade apart from the core says of its callers is
 * metadata (`CLIENT_ADDRESS`).
 */
export const clientAddress = createContextKey('', { description: 'where the call came from' })

/** The id that the call's log lines carry; undefined where its caller gave none that may stand there. */
export const requestIdOf = (context: Pick<HandlerContext, 'requestHeader'>): string | undefined =>
  parseRequestId(context.requestHeader.get('x-request-id'))

/** The trace that the call belongs to, for its log lines; undefined where its caller named none. */
export const traceIdOf = (context: Pick<HandlerContext, 'requestHeader'>): string | undefined =>
  parseTraceId(context.requestHeader.get('traceparent'))

/** Metadata: names of fields, with commas, that were given to the caller in a form that the message cannot hold. */
export const UNREADABLE_FIELDS = 'x-unreadable-fields'

/**
 * The fields that were given as something that the message cannot hold: each is refused where it is validated, with its
 * own message.
 */
export const unreadableFieldsOf = (context: Pick<HandlerContext, 'requestHeader'>): readonly string[] =>
  context.requestHeader.get(UNREADABLE_FIELDS)?.split(',') ?? []

/** Metadata: the service token by which a facade apart from its core proves that it is one. */
export const FACADE_TOKEN = 'x-facade-token'

/** Metadata: where the facade's own caller is. Believed with a token in `FACADE_TOKEN` only. */
export const CLIENT_ADDRESS = 'x-client-address'
