import type { ConnectError, HandlerContext } from '@connectrpc/connect'
import { CLIENT_ADDRESS, clientAddress, FACADE_TOKEN } from '../../runtime/call-context.ts'
import { toPlainAddress } from '../../values/address-list.ts'
import type { Scope } from '../../values/scope.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField } from './errors.ts'
import { failure } from './failure.ts'

// A facade in a process of its own calls in the name of whoever called it. What it says of its caller's address decides
// whose wrong keys are counted and what stands in the audit log, so it is believed only from a facade that proves itself by
// a service token with the scope `facade:call`.

/** True for a call of a facade apart from this core, whether it proves itself or not. */
export const isFromFacade = (context: HandlerContext): boolean => context.requestHeader.has(FACADE_TOKEN)

/**
 * The address that a call really came from: what the server saw, or what a facade says that proves itself. Throws
 * FACADE_REFUSED where one does not, and never believes it half.
 */
export const callerAddress = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'checkToken'>,
): Promise<string> => {
  const seen = context.values.get(clientAddress)
  if (!isFromFacade(context)) return seen
  await requireFacade(context, checks, 'facade:call')
  const told = context.requestHeader.get(CLIENT_ADDRESS)
  if (told === null) return seen
  const address = toPlainAddress(told)
  if (address === null) throw invalidField(CLIENT_ADDRESS, 'must be an IP address')
  return address
}

/** Throws FACADE_REFUSED unless the facade's token has `scope`. Wrong ones are counted by the facade's own address. */
export const requireFacade = async (
  context: HandlerContext,
  checks: Pick<CallerChecks, 'checkToken'>,
  scope: Scope,
): Promise<void> => {
  const token = context.requestHeader.get(FACADE_TOKEN) ?? ''
  const check = await checks.checkToken(token, context.values.get(clientAddress))
  switch (check.kind) {
    case 'service':
      if (!check.scopes.includes(scope)) throw refused(`lacks the scope ${scope}`)
      return
    case 'unknown':
      throw refused('is unknown')
    case 'revoked':
      throw refused('was revoked')
    case 'limited':
      throw refused(`was not looked at: try again in ${check.waitSeconds} s`)
    default:
      check satisfies never
  }
}

const refused = (why: string): ConnectError =>
  failure('FACADE_REFUSED', `the token in ${FACADE_TOKEN}, which proves a facade, ${why}`)
