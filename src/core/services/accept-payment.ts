import type { RequestPaymentRequest } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import type { IdempotencyKey } from '../../values/idempotency-key.ts'
import { isTestId } from '../../values/test-partner.ts'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { Acceptance } from '../request/accept.ts'
import { type AcceptLimits, isWithoutLimit, type LimitReached } from '../request/payer-limits.ts'
import { type PaymentRequest, parsePaymentRequest, type Refusal } from '../request/payment-request.ts'
import { invalidField, overloaded } from './errors.ts'
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

/** A request, and what became of it. */
export type Answered = { request: PaymentRequest; acceptance: Acceptance | LimitReached }

/**
 * What became of a request that is refused as it is: one that was accepted before is answered as ever, whatever bounds
 * its partner has since and however little time is left, or else it would be taken for one of which nothing is stored.
 * Throws INVALID_ARGUMENT for any other.
 */
export const answerRefused = async (
  { knownKeys }: PaymentServiceParts,
  asked: {
    partnerId: bigint
    message: RequestPaymentRequest
    storedKey: IdempotencyKey | null
    unreadable: readonly string[]
    refusal: Refusal
  },
): Promise<Answered> => {
  const { partnerId, message, storedKey, unreadable, refusal } = asked
  const bounds = { callbackHosts: null, maxPaymentKes: null, storedKey }
  // By then less may be left than a new request may have.
  const timeless = { ...message, expiresInSeconds: undefined }
  const others = unreadable.filter((field) => field !== 'expires_in_seconds')
  const parsed = parsePaymentRequest(timeless, { policy: ANY_URL, bounds, unreadable: others })
  if ('request' in parsed) {
    const { request } = parsed
    const acceptance = await knownKeys.find({ partnerId, request })
    if (acceptance?.kind === 'duplicate') return { request, acceptance }
  }
  throw invalidField(refusal.field, refusal.problem)
}

/** Where outcomes may go is a matter of settings too, and these may have been others. */
const ANY_URL = { allowHttp: true, allowPrivateNetworks: true }

/** The limits that a request of the partner is to keep; undefined when there are none. */
const limitsOf = (parts: PaymentServiceParts, partner: CallingPartner): AcceptLimits | undefined => {
  // Nobody's phone rings for a test payment, and nothing is asked of anybody.
  if (isTestId(partner.partnerId)) return undefined
  const limits = { ...parts.payerLimits, maxDailyKes: partner.maxDailyKes }
  return isWithoutLimit(limits) ? undefined : limits
}
