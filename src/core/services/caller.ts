import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import { clientAddress, inProcessCall } from '../../runtime/call-context.ts'
import { parseId } from '../../values/ids.ts'
import type { Actor } from '../audit/record-audit.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { Scope } from '../partners/service-token.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField, tooOften } from './errors.ts'

/** Who reads payments: a partner its own, a service with `payments:read` everybody's. */
export type Reader = { partnerId: CallingPartner['partnerId'] } | 'anybody'

/**
 * The partner that the call's `x-api-key` names. Throws UNAUTHENTICATED for none or an unknown one, PERMISSION_DENIED
 * for a key that was revoked or has expired or a disabled partner, RESOURCE_EXHAUSTED with `retry-after` when too many
 * wrong ones came from its address.
 */
const requirePartner = async (context: HandlerContext, checks: CallerChecks): Promise<CallingPartner> => {
  const apiKey = context.requestHeader.get('x-api-key')
  if (!apiKey) throw new ConnectError('the API key is missing: send it as X-API-KEY', Code.Unauthenticated)
  const check = await checks.checkKey(apiKey, context.values.get(clientAddress))
  switch (check.kind) {
    case 'partner':
      checks.noteUse(check.keyId)
      return throttled(check.partner, checks)
    case 'unknown':
      throw new ConnectError('the API key in X-API-KEY is unknown', Code.Unauthenticated)
    case 'revoked':
      throw new ConnectError('the API key in X-API-KEY was revoked', Code.PermissionDenied)
    case 'expired':
      throw new ConnectError('the API key in X-API-KEY has expired', Code.PermissionDenied)
    case 'disabled':
      throw new ConnectError(DISABLED, Code.PermissionDenied)
    case 'limited':
      throw tooManyWrong('API keys', check.waitSeconds)
    default:
      return check satisfies never
  }
}

/**
 * The partner, once one more of its requests is counted. Throws RESOURCE_EXHAUSTED with `retry-after` for one too many.
 */
const throttled = async (partner: CallingPartner, checks: CallerChecks): Promise<CallingPartner> => {
  const isTooMuch = await checks.throttle(partner)
  if (isTooMuch !== null) throw tooOften(isTooMuch.perSecond, isTooMuch.waitSeconds)
  return partner
}

const DISABLED = 'this partner is disabled'

const tooManyWrong = (what: string, waitSeconds: number): ConnectError =>
  new ConnectError(
    `too many wrong ${what} came from your address: try again in ${waitSeconds} s`,
    Code.ResourceExhausted,
    { 'retry-after': String(waitSeconds) },
  )

/**
 * Who asks for a payment: a partner by its key, or the one whose id is in `x-partner-id`, in whose name a service asks
 * that has the scope `payments:write`. Throws as `requirePartner` and `requireScope` do, INVALID_ARGUMENT for a missing
 * or wrong id, NOT_FOUND when there is no such partner.
 */
export const requireRequester = async (
  context: HandlerContext,
  checks: CallerChecks,
): Promise<CallingPartner> => {
  if (!context.requestHeader.has('authorization')) return requirePartner(context, checks)
  await requireScope(context, checks, 'payments:write')
  const partnerId = parseId(context.requestHeader.get('x-partner-id') ?? '')
  if (partnerId === null) {
    throw invalidField(
      'x-partner-id',
      'is required of a service: the id of the partner in whose name it asks, as metadata',
    )
  }
  const check = await checks.checkPartner(partnerId)
  if (check.kind === 'partner') return throttled(check.partner, checks)
  throw check.kind === 'disabled'
    ? new ConnectError(DISABLED, Code.PermissionDenied)
    : new ConnectError('there is no such partner', Code.NotFound)
}

/**
 * Who reads payments. A partner's key, or a service token with the scope `payments:read`; throws as the two others do.
 */
export const requireReader = async (context: HandlerContext, checks: CallerChecks): Promise<Reader> => {
  if (context.requestHeader.has('authorization')) {
    await requireScope(context, checks, 'payments:read')
    return 'anybody'
  }
  return requirePartner(context, checks)
}

/**
 * Lets a call pass that comes from this process, or whose `authorization: Bearer …` is a service token with `scope`,
 * and says who it is, for the audit log. Throws UNAUTHENTICATED for none or an unknown token, PERMISSION_DENIED for one
 * that was revoked or lacks the scope, RESOURCE_EXHAUSTED with `retry-after` when too many wrong ones came from its
 * address.
 */
export const requireScope = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'checkToken'>,
  scope: Scope,
): Promise<Actor> => {
  if (context.values.get(inProcessCall)) return { kind: 'operator', name: 'gateway', from: 'this process' }
  const token = /^Bearer (.+)$/i.exec(context.requestHeader.get('authorization') ?? '')?.[1]
  if (token === undefined) {
    throw new ConnectError(
      'a service token is missing: send authorization: Bearer …; an API key reaches PaymentService only',
      Code.Unauthenticated,
    )
  }
  const check = await checks.checkToken(token, context.values.get(clientAddress))
  switch (check.kind) {
    case 'service':
      if (!check.scopes.includes(scope)) {
        throw new ConnectError(`the service token lacks the scope ${scope}`, Code.PermissionDenied)
      }
      return {
        kind: 'service',
        tokenId: check.tokenId,
        name: check.name,
        operator: operatorOf(context),
        from: context.values.get(clientAddress),
      }
    case 'unknown':
      throw new ConnectError('the service token is unknown', Code.Unauthenticated)
    case 'revoked':
      throw new ConnectError('the service token was revoked', Code.PermissionDenied)
    case 'limited':
      throw tooManyWrong('service tokens', check.waitSeconds)
    default:
      return check satisfies never
  }
}

/** The person whom a service names as the one behind its call. */
const operatorOf = (context: HandlerContext): string | null => {
  const given = context.requestHeader.get('x-operator')?.trim()
  if (given === undefined || given === '') return null
  if (given.length > 100 || !/^[\x20-\x7e]+$/.test(given)) {
    throw invalidField('x-operator', 'must be at most 100 printable ASCII characters')
  }
  return given
}
