import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import type { HandlerContext } from '@connectrpc/connect'
import { boundTo } from '../../database/bound-to.ts'
import type { Database } from '../../database/connect.ts'

/** Whether the method only reads. */
export const isRead = ({ method }: HandlerContext): boolean =>
  method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS

/**
 * The parts of a method for one call: where the method only reads, its statements are cancelled once the caller is gone or
 * its deadline has passed. What changes something is done to its end.
 */
export const forCall = <Parts extends { database: Database }>(
  parts: Parts,
  context: HandlerContext,
): Parts => (isRead(context) ? { ...parts, database: boundTo(parts.database, context.signal) } : parts)
