import { isTestId } from '../../values/test-partner.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { Acceptance } from '../request/accept.ts'
import { type AcceptLimits, isWithoutLimit, type LimitReached } from '../request/payer-limits.ts'
import type { PaymentRequest } from '../request/payment-request.ts'
import { overloaded } from './errors.ts'
import type { PaymentServiceParts } from './payment-service-parts.ts'

/**
 * Accepts a payment, or says why not. Throws UNAVAILABLE when more is asked for than can be pushed; who asks with a
 * known key is answered then too, for it asks for nothing new.
 */
export const acceptPayment = async (
  parts: PaymentServiceParts,
  partner: CallingPartner,
  request: PaymentRequest,
): Promise<Acceptance | LimitReached> => {
  const { partnerId } = partner
  const waitSeconds = parts.overload.ask(partner)
  if (waitSeconds !== null) {
    const known = await parts.knownKeys.find({ partnerId, request })
    if (known !== null) return known
    if (!isTestId(partnerId)) parts.metrics.requested('overloaded')
    throw overloaded(waitSeconds)
  }
  const limits = limitsOf(parts, partner)
  return limits === undefined
    ? parts.acceptor.add({ partnerId, request })
    : parts.limitedAcceptor.add({ partnerId, request, limits })
}

/** The limits that a request of the partner is to keep; undefined when there are none. */
const limitsOf = (parts: PaymentServiceParts, partner: CallingPartner): AcceptLimits | undefined => {
  // Nobody's phone rings for a test payment, and nothing is asked of anybody.
  if (isTestId(partner.partnerId)) return undefined
  const limits = { ...parts.payerLimits, maxDailyKes: partner.maxDailyKes }
  return isWithoutLimit(limits) ? undefined : limits
}
