import type { ConnectError, HandlerContext } from '@connectrpc/connect'
import { clientAddress, inProcessCall, requestIdOf } from '../../runtime/call-context.ts'
import type { RefusedCaller } from '../../runtime/refused-callers.ts'
import { parseId } from '../../values/ids.ts'
import type { Scope } from '../../values/scope.ts'
import type { Actor } from '../audit/record-audit.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField, tooOften } from './errors.ts'
import { callerAddress, isFromFacade, requireFacade } from './facade-proof.ts'
import { failure } from './failure.ts'
import { namedOperator } from './named-operator.ts'

/** Who reads payments: a partner its own, a service with `payments:read` everybody's. */
export type Reader = { partnerId: CallingPartner['partnerId'] } | 'anybody'

/** A partner in whose name something is done, and who does it: the holder of its key, or a service. */
export type Requester = { partner: CallingPartner; actor: Actor }

const KEY_MISSING =
  'credentials are missing: send a partner’s API key as x-api-key, or a service token as authorization: Bearer …'

/**
 * The partner that the call's `x-api-key` names, and the key. Throws UNAUTHENTICATED for none or an unknown one, PERMISSION_DENIED
 * for a key that was revoked or has expired or a disabled partner, RESOURCE_EXHAUSTED with `retry-after` when too many
 * wrong ones came from its address, FACADE_REFUSED for a facade that does not prove itself.
 */
const provePartner = async (context: HandlerContext, checks: CallerChecks): Promise<Requester> => {
  const from = await callerAddress(context, checks)
  const refuse = refuseWith(context, checks, from)
  const apiKey = context.requestHeader.get('x-api-key')
  if (!apiKey) {
    // A facade refuses such requests itself: it only asks whether it is believed.
    if (isFromFacade(context)) throw failure('CREDENTIALS_MISSING', KEY_MISSING)
    throw refuse('CREDENTIALS_MISSING', KEY_MISSING)
  }
  const check = await checks.checkKey(apiKey, from)
  switch (check.kind) {
    case 'partner': {
      const { keyId, keyPrefix, partner } = check
      checks.noteUse(keyId)
      return {
        partner,
        actor: { kind: 'partner', partnerId: partner.partnerId, keyId, name: keyPrefix, from },
      }
    }
    case 'unknown':
      throw refuse('API_KEY_UNKNOWN', 'the API key in X-API-KEY is unknown')
    case 'revoked':
      throw refuse('API_KEY_REVOKED', 'the API key in X-API-KEY was revoked', check)
    case 'expired':
      throw refuse('API_KEY_EXPIRED', 'the API key in X-API-KEY has expired', check)
    case 'disabled':
      throw refuse('PARTNER_DISABLED', DISABLED, check)
    case 'limited':
      throw tooManyWrong(refuse, 'API keys', check.waitSeconds)
    default:
      return check satisfies never
  }
}

/** The same, once one more of the partner's requests is counted. */
const requirePartner = async (context: HandlerContext, checks: CallerChecks): Promise<Requester> => {
  const requester = await provePartner(context, checks)
  await throttle(requester.partner, checks)
  return requester
}

/** Counts one more request of the partner. Throws RESOURCE_EXHAUSTED with `retry-after` for one too many. */
const throttle = async (partner: CallingPartner, checks: CallerChecks): Promise<void> => {
  const isTooMuch = await checks.throttle(partner)
  if (isTooMuch !== null) throw tooOften(isTooMuch.perSecond, isTooMuch.waitSeconds)
}

const DISABLED = 'this partner is disabled'

/** Makes the error of a caller that is refused for who it is; it is counted, and stands in the log. */
type Refuse = (
  reason: RefusedCaller['reason'],
  message: string,
  more?: Pick<RefusedCaller, 'partnerId' | 'keyPrefix' | 'token'> & { retryAfterSeconds?: number },
) => ConnectError

const refuseWith =
  (
    context: HandlerContext,
    { noteRefused }: Pick<CallerChecks, 'noteRefused'>,
    from = context.values.get(clientAddress),
  ): Refuse =>
  (reason, message, { partnerId, keyPrefix, token, retryAfterSeconds } = {}) => {
    noteRefused({
      reason,
      method: context.method.name,
      from,
      requestId: requestIdOf(context),
      ...(partnerId !== undefined && { partnerId }),
      ...(keyPrefix !== undefined && { keyPrefix }),
      ...(token !== undefined && { token }),
    })
    return failure(reason, message, { ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) })
  }

const tooManyWrong = (refuse: Refuse, what: string, waitSeconds: number): ConnectError =>
  refuse(
    'TOO_MANY_WRONG_CREDENTIALS',
    `too many wrong ${what} came from your address: try again in ${waitSeconds} s`,
    { retryAfterSeconds: waitSeconds },
  )

/**
 * Who asks for a payment, or changes what becomes of one: a partner by its key, or the one whose id is in
 * `x-partner-id`, in whose name a service asks that has the scope `payments:write`. Throws as `requirePartner` and `requireScope` do, INVALID_ARGUMENT for a missing
 * or wrong id, NOT_FOUND when there is no such partner.
 */
export const requireRequester = async (context: HandlerContext, checks: CallerChecks): Promise<Requester> => {
  if (!context.requestHeader.has('authorization')) return requirePartner(context, checks)
  const actor = await requireScope(context, checks, 'payments:write')
  const partnerId = namedPartner(context)
  if (partnerId === undefined) {
    throw invalidField(
      'x-partner-id',
      'is required of a service: the id of the partner in whose name it asks, as metadata',
    )
  }
  const check = await checks.checkPartner(partnerId)
  if (check.kind === 'partner') {
    await throttle(check.partner, checks)
    return { partner: check.partner, actor }
  }
  if (check.kind === 'unknown') throw noSuchPartner()
  throw refuseWith(context, checks)('PARTNER_DISABLED', DISABLED, { partnerId })
}

/** The partner whose id a service puts into `x-partner-id`; undefined where it names none. */
const namedPartner = (context: HandlerContext): bigint | undefined => {
  const given = context.requestHeader.get('x-partner-id')
  if (given === null || given === '') return undefined
  const partnerId = parseId(given)
  if (partnerId === null) {
    throw invalidField('x-partner-id', 'must be the id of a partner, a positive whole number')
  }
  return partnerId
}

const noSuchPartner = (): ConnectError => failure('NOT_FOUND', 'there is no such partner')

/**
 * Who reads payments. A partner's key, or a service token with the scope `payments:read`, which reads everybody's, or
 * only those of the partner that it names in `x-partner-id`; throws as the two others do.
 */
export const requireReader = async (context: HandlerContext, checks: CallerChecks): Promise<Reader> => {
  if (context.requestHeader.has('authorization')) {
    await requireScope(context, checks, 'payments:read')
    return namedReader(context, checks)
  }
  return (await requirePartner(context, checks)).partner
}

/** Whose payments a service means: those of the partner in `x-partner-id`, or everybody's. Throws as `requireRequester` does. */
export const namedReader = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'checkPartner'>,
): Promise<Reader> => {
  const partnerId = namedPartner(context)
  if (partnerId === undefined) return 'anybody'
  if ((await checks.checkPartner(partnerId)).kind === 'unknown') throw noSuchPartner()
  return { partnerId }
}

/** Throws as `requireReader` does where a caller that was let in may not read payments any more; counts no request. */
export const requireStillReader = async (context: HandlerContext, checks: CallerChecks): Promise<void> => {
  if (context.requestHeader.has('authorization')) await requireScope(context, checks, 'payments:read')
  else await provePartner(context, checks)
}

/**
 * Lets a call pass that comes from this process, or whose `authorization: Bearer …` is a service token with `scope`,
 * and says who it is, for the audit log. Throws UNAUTHENTICATED for none or an unknown token, PERMISSION_DENIED for one
 * that was revoked or lacks the scope, RESOURCE_EXHAUSTED with `retry-after` when too many wrong ones came from its
 * address.
 */
export const requireScope = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'checkToken' | 'noteRefused'>,
  scope: Scope,
): Promise<Actor> => {
  if (context.values.get(inProcessCall)) return { kind: 'operator', name: 'gateway', from: 'this process' }
  const refuse = refuseWith(context, checks)
  const token = /^Bearer (.+)$/i.exec(context.requestHeader.get('authorization') ?? '')?.[1]
  if (token === undefined) {
    throw refuse(
      'CREDENTIALS_MISSING',
      'a service token is missing: send authorization: Bearer …; no API key reaches this method',
    )
  }
  const check = await checks.checkToken(token, context.values.get(clientAddress))
  switch (check.kind) {
    case 'service':
      if (!check.scopes.includes(scope)) {
        throw refuse('SCOPE_MISSING', `the service token lacks the scope ${scope}`, { token: check.name })
      }
      return {
        kind: 'service',
        tokenId: check.tokenId,
        name: check.name,
        scopes: check.scopes,
        operator: namedOperator(context),
        from: context.values.get(clientAddress),
      }
    case 'unknown':
      throw refuse('TOKEN_UNKNOWN', 'the service token is unknown')
    case 'revoked':
      throw refuse('TOKEN_REVOKED', 'the service token was revoked')
    case 'limited':
      throw tooManyWrong(refuse, 'service tokens', check.waitSeconds)
    default:
      return check satisfies never
  }
}

/** Lets a call pass that hands on a callback: as `requireScope` does, or from a facade whose token has the scope. */
export const requireCallbackBringer = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'checkToken' | 'noteRefused'>,
): Promise<void> => {
  if (isFromFacade(context)) await requireFacade(context, checks, 'callbacks:write')
  else await requireScope(context, checks, 'callbacks:write')
}
