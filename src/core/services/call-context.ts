import { createContextKey, type HandlerContext } from '@connectrpc/connect'
import { parseRequestId } from '../../values/request-id.ts'

/** True for a call that came from this very process, whose caller needs no token. */
export const inProcessCall = createContextKey(false, { description: 'the call came from this process' })

/** The address at the other end of the connection that a call came over; set by the doors. */
export const peerAddress = createContextKey('', { description: 'who is connected' })

/**
 * The address that a call came from. The facade beside the core knows better than the connection does, and is believed; nobody
 * else is.
 */
export const callerAddress = (context: HandlerContext): string =>
  context.values.get(inProcessCall)
    ? (context.requestHeader.get('x-client-address') ?? '')
    : context.values.get(peerAddress)

/** The id that the call's lines in the log carry; undefined where its caller gave none that may stand there. */
export const requestIdOf = (context: HandlerContext): string | undefined =>
  parseRequestId(context.requestHeader.get('x-request-id'))
