import { Code, ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect'
import type { PartnerId } from '../../values/ids.ts'
import type { CheckKey } from '../partners/authenticate.ts'
import type { Scope } from '../partners/service-token.ts'

/** True for a call that came from this very process, whose caller needs no token. */
export const inProcessCall = createContextKey(false, { description: 'the call came from this process' })

/** How callers are told apart. */
export type CallerChecks = {
  checkKey: CheckKey
  /** The scopes of a service token; null when it is unknown or revoked. */
  findScopes: (token: string) => Promise<Scope[] | null>
}

/** Who reads payments: a partner its own, a service with `payments:read` everybody's. */
export type Reader = { partnerId: PartnerId } | 'anybody'

/**
 * The partner that the call's `x-api-key` names. Throws UNAUTHENTICATED for none or an unknown one, PERMISSION_DENIED for a
 * revoked key or a disabled partner.
 */
export const requirePartner = async (context: HandlerContext, checkKey: CheckKey): Promise<PartnerId> => {
  const apiKey = context.requestHeader.get('x-api-key')
  if (!apiKey) throw new ConnectError('the API key is missing: send it as X-API-KEY', Code.Unauthenticated)
  const check = await checkKey(apiKey)
  switch (check.kind) {
    case 'partner':
      return check.partnerId
    case 'unknown':
      throw new ConnectError('the API key in X-API-KEY is unknown', Code.Unauthenticated)
    case 'revoked':
      throw new ConnectError('the API key in X-API-KEY was revoked', Code.PermissionDenied)
    case 'disabled':
      throw new ConnectError('this partner is disabled', Code.PermissionDenied)
    default:
      return check satisfies never
  }
}

/** Who reads payments. A partner's key, or a service token with the scope `payments:read`; throws as the two others do. */
export const requireReader = async (context: HandlerContext, checks: CallerChecks): Promise<Reader> => {
  if (context.requestHeader.has('authorization')) {
    await requireScope(context, checks, 'payments:read')
    return 'anybody'
  }
  return { partnerId: await requirePartner(context, checks.checkKey) }
}

/**
 * Lets a call pass that comes from this process, or whose `authorization: Bearer …` is a service token with `scope`. Throws
 * UNAUTHENTICATED for none or an unknown token, PERMISSION_DENIED for one without the scope.
 */
export const requireScope = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'findScopes'>,
  scope: Scope,
): Promise<void> => {
  if (context.values.get(inProcessCall)) return
  const token = /^Bearer (.+)$/i.exec(context.requestHeader.get('authorization') ?? '')?.[1]
  if (token === undefined) {
    throw new ConnectError(`a service token is missing: send authorization: Bearer …`, Code.Unauthenticated)
  }
  const scopes = await checks.findScopes(token)
  if (scopes === null) throw new ConnectError('the service token is unknown or revoked', Code.Unauthenticated)
  if (!scopes.includes(scope))
    throw new ConnectError(`the service token lacks the scope ${scope}`, Code.PermissionDenied)
}
