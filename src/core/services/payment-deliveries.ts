import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import type { Outcome } from '../../database/schema/payments.ts'
import { DeliveryState } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import {
  type ListPaymentDeliveriesRequest,
  type PaymentDeliverySchema,
  PaymentState,
  type ResendOutcomeRequest,
  type ResendOutcomesRequest,
} from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { truncateText } from '../../values/outside-text.ts'
import { parseReference } from '../../values/reference.ts'
import { MOST_RESENT, RESENT_PER_SECOND } from '../../values/resend.ts'
import { isTestId, partnerIdOf } from '../../values/test-partner.ts'
import { findAttempts, listPaymentDeliveries } from '../deliveries/find.ts'
import { countOutcomes, type OutcomeFilter, type UndeliveredState } from '../deliveries/outcomes.ts'
import { resendOutcome, resendOutcomes } from '../deliveries/resend.ts'
import { findPayment } from '../payments/find.ts'
import { requireReader, requireRequester } from './caller.ts'
import { CHANGE_OUTCOMES, toAttemptMessage, toDeliveryMessage } from './delivery-message.ts'
import { noSuchPayment, requirePaymentId } from './errors.ts'
import { failure } from './failure.ts'
import { readInstant } from './message-fields.ts'
import type { PaymentServiceParts } from './payment-service-parts.ts'
import { wrongField } from './refused.ts'

/** Attempts of a delivery that a partner sees, and characters of each answer. */
const MAX_ATTEMPTS = 20
const MAX_ANSWER_LENGTH = 500

/** PaymentService.ResendOutcome. */
export const answerResend = async (
  parts: PaymentServiceParts,
  { paymentId }: ResendOutcomeRequest,
  context: HandlerContext,
) => {
  const { partner, actor } = await requireRequester(context, parts.checks)
  requirePaymentId(paymentId)
  const resent = await resendOutcome({ database: parts.database, owner: partner, paymentId, actor })
  switch (resent.kind) {
    case 'not_found':
      throw noSuchPayment()
    case 'no_outcome':
      throw failure(
        'NOT_POSSIBLE',
        `the payment is ${resent.state}: it has no outcome yet that could be sent again`,
      )
    case 'resent':
      break
    default:
      return resent satisfies never
  }
  parts.onDeliveriesDue()
  const { outcome, delivery } = resent
  parts.log.info({ event: 'outcome_resent', payment_id: Number(paymentId), outcome })
  return { outcome: CHANGE_OUTCOMES[outcome], delivery: toDeliveryMessage(delivery) }
}

/** PaymentService.ResendOutcomes. */
export const answerResendMany = async (
  parts: PaymentServiceParts,
  request: ResendOutcomesRequest,
  context: HandlerContext,
) => {
  const { partner, actor } = await requireRequester(context, parts.checks)
  const { database } = parts
  const filter = readOutcomeFilter(request, partner.partnerId)
  const perSecond = readPerSecond(request.perSecond)
  const count = await countOutcomes(database, filter, MOST_RESENT + 1)
  const found = { found: Math.min(count, MOST_RESENT), more: count > MOST_RESENT }
  if (request.validateOnly) return found
  const done = await resendOutcomes({ database, filter, perSecond, actor })
  parts.onDeliveriesDue()
  const { retried: resent = 0, held = 0, waiting = 0, under_way: underWay = 0 } = done.counts
  parts.log.info({
    event: 'outcomes_resent',
    partner_id: Number(partnerIdOf(partner.partnerId)),
    test: isTestId(partner.partnerId) || undefined,
    found: done.found,
    resent,
    held,
    waiting,
  })
  return { found: done.found, more: found.more, resent, held, waiting, underWay }
}

const readOutcomeFilter = (request: ResendOutcomesRequest, partnerId: bigint): OutcomeFilter => {
  const { reference } = request
  const sought = reference === undefined ? null : parseReference(reference)
  if (sought?.ok === false) throw wrongField('reference', sought.problem)
  const filter: OutcomeFilter = {
    partnerId,
    delivery: readDeliveryState(request.delivery),
    state: readOutcome(request.state),
    reference: sought?.value ?? null,
    createdFrom: readInstant('created_from', request.createdFrom),
    createdTo: readInstant('created_to', request.createdTo),
    outcomeFrom: readInstant('outcome_from', request.outcomeFrom),
    outcomeTo: readInstant('outcome_to', request.outcomeTo),
  }
  refuseNoTime('created_to', 'created_from', filter.createdFrom, filter.createdTo)
  refuseNoTime('outcome_to', 'outcome_from', filter.outcomeFrom, filter.outcomeTo)
  return filter
}

const refuseNoTime = (field: string, first: string, from: Date | null, to: Date | null): void => {
  if (from !== null && to !== null && to <= from) throw wrongField(field, `must be after ${first}`)
}

const UNDELIVERED: ReadonlyMap<DeliveryState, UndeliveredState> = new Map([
  [DeliveryState.UNSPECIFIED, 'undelivered'],
  [DeliveryState.PENDING, 'pending'],
  [DeliveryState.HELD, 'held'],
  [DeliveryState.DEAD, 'dead'],
  [DeliveryState.CANCELLED, 'cancelled'],
])

const readDeliveryState = (state: DeliveryState): UndeliveredState => {
  const name = UNDELIVERED.get(state)
  if (name === undefined)
    throw wrongField('delivery', `must be one of ${[...UNDELIVERED.values()].join(', ')}`)
  return name
}

const OUTCOMES: ReadonlyMap<PaymentState, Outcome | null> = new Map([
  [PaymentState.UNSPECIFIED, null],
  [PaymentState.SUCCESSFUL, 'successful'],
  [PaymentState.FAILED, 'failed'],
])

const readOutcome = (state: PaymentState): Outcome | null => {
  const outcome = OUTCOMES.get(state)
  if (outcome === undefined)
    throw wrongField('state', 'must be one of successful, failed: others have no outcome')
  return outcome
}

const readPerSecond = (perSecond: number): number => {
  const { usual, max } = RESENT_PER_SECOND
  if (perSecond < 0 || perSecond > max)
    throw wrongField('per_second', `must be a whole number from 1 to ${max}`)
  return perSecond === 0 ? usual : perSecond
}

/** PaymentService.ListPaymentDeliveries. */
export const answerListDeliveries = async (
  { database, checks }: PaymentServiceParts,
  { paymentId }: ListPaymentDeliveriesRequest,
  context: HandlerContext,
) => {
  const reader = await requireReader(context, checks)
  requirePaymentId(paymentId)
  if ((await findPayment(database, reader, paymentId)) === undefined) throw noSuchPayment()
  const deliveries: MessageInitShape<typeof PaymentDeliverySchema>[] = []
  for (const delivery of await listPaymentDeliveries(database, paymentId)) {
    const attempts = await findAttempts(database, delivery.delivery_id, MAX_ATTEMPTS)
    deliveries.push({ delivery: toDeliveryMessage(delivery), attempts: attempts.map(toShortAttempt) })
  }
  return { deliveries }
}

const toShortAttempt = (row: Awaited<ReturnType<typeof findAttempts>>[number]) => ({
  ...toAttemptMessage(row),
  answer: row.answer === null ? undefined : truncateText(row.answer, MAX_ANSWER_LENGTH),
})
