import { Code, ConnectError } from '@connectrpc/connect'
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.js'

/** What a core says that is no fault of the facade's caller: that caller is to try again, and operators to look. */
const NOT_THE_CALLERS = new Set(['FACADE_REFUSED', 'DEADLINE_EXCEEDED'])

/** When the caller asks again, seconds. */
const RETRY_AFTER = '1'

/**
 * An error of a call to the core as the facade is to answer it. What the core itself says has a reason; everything else
 * happened on the way: the core could not be reached, went away, or did not answer in time. It is then unknown whether
 * the work was done, which is what UNAVAILABLE tells partners. A method that the core does not know stays what it is.
 */
export const explainWay = (error: ConnectError): ConnectError => {
  if (error.code === Code.Unimplemented) return error
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason
  if (reason !== undefined && !NOT_THE_CALLERS.has(reason)) return error
  const cause = new Error(`the core: ${error.rawMessage}`)
  const headers = { 'retry-after': RETRY_AFTER }
  const away = new ConnectError('the core cannot be reached', Code.Unavailable, headers, undefined, cause)
  away.details = error.details
  return away
}
