import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { EndpointStateName } from '../../database/schema/endpoints.ts'
import {
  type AttemptSchema,
  ChangeOutcome,
  type DeliveryFilter as DeliveryFilterMessage,
  type DeliverySchema,
  DeliveryState,
  type EndpointSchema,
  EndpointState,
} from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { isTestId, partnerIdOf, testIdOf } from '../../values/test-partner.ts'
import {
  DELIVERY_STATES,
  type DeliveryFilter,
  parseErrorClass,
  parseHost,
  type ShownDeliveryState,
} from '../deliveries/filter.ts'
import type { findAttempts, ListedDelivery } from '../deliveries/find.ts'
import type { ListedEndpoint } from '../deliveries/list-endpoints.ts'
import type { ChangeOutcome as ChangeOutcomeName } from '../deliveries/lock.ts'
import { maskedOrUnset } from './masked.ts'
import { readInstant, toTimestamp } from './message-fields.ts'
import { wrongField } from './refused.ts'

const STATES: Readonly<Record<ShownDeliveryState, DeliveryState>> = {
  pending: DeliveryState.PENDING,
  held: DeliveryState.HELD,
  delivered: DeliveryState.DELIVERED,
  dead: DeliveryState.DEAD,
  cancelled: DeliveryState.CANCELLED,
}

/** How an endpoint is doing, as the services return it. */
export const ENDPOINT_STATES: Readonly<Record<EndpointStateName, EndpointState>> = {
  closed: EndpointState.CLOSED,
  open: EndpointState.OPEN,
  half_open: EndpointState.HALF_OPEN,
  ramping: EndpointState.RAMPING,
}

/** What became of a delivery, as the services return it. */
export const CHANGE_OUTCOMES: Readonly<Record<ChangeOutcomeName, ChangeOutcome>> = {
  retried: ChangeOutcome.RETRIED,
  held: ChangeOutcome.HELD,
  cancelled: ChangeOutcome.CANCELLED,
  under_way: ChangeOutcome.UNDER_WAY,
  already_delivered: ChangeOutcome.ALREADY_DELIVERED,
  outdated: ChangeOutcome.OUTDATED,
  already_ended: ChangeOutcome.ALREADY_ENDED,
  not_found: ChangeOutcome.NOT_FOUND,
  waiting: ChangeOutcome.WAITING,
}

/** A delivery as the services return it; `callback_url` where it was read. */
export const toDeliveryMessage = (
  row: ListedDelivery & { callback_url?: string },
): MessageInitShape<typeof DeliverySchema> => ({
  deliveryId: row.delivery_id,
  paymentId: row.payment_id,
  partnerId: partnerIdOf(row.partner_id),
  test: isTestId(row.partner_id),
  host: row.host,
  webhookId: row.webhook_id,
  state: STATES[row.state],
  attempts: row.attempts,
  underWay: row.is_under_way,
  createdAt: timestampFromDate(row.created_at),
  nextAttemptAt: toTimestamp(row.next_attempt_at),
  heldAt: toTimestamp(row.held_at),
  endedAt: toTimestamp(row.ended_at),
  errorClass: row.error_class ?? undefined,
  status: row.status ?? undefined,
  reason: maskedOrUnset(row.reason),
  callbackUrl: row.callback_url,
  heldBecause: row.held_because ?? undefined,
  heldUntil: toTimestamp(row.held_until),
})

/** An attempt as the services return it. */
export const toAttemptMessage = (
  row: Awaited<ReturnType<typeof findAttempts>>[number],
): MessageInitShape<typeof AttemptSchema> => ({
  number: row.number,
  startedAt: timestampFromDate(row.started_at),
  finishedAt: toTimestamp(row.finished_at),
  durationMs: row.duration_ms ?? undefined,
  address: row.address ?? undefined,
  status: row.status ?? undefined,
  errorClass: row.error_class ?? undefined,
  answer: row.answer ?? undefined,
})

/** An endpoint as the services return it. */
export const toEndpointMessage = (row: ListedEndpoint): MessageInitShape<typeof EndpointSchema> => ({
  partnerId: partnerIdOf(row.partner_id),
  test: isTestId(row.partner_id),
  host: row.host,
  state: ENDPOINT_STATES[row.state],
  failures: row.failures,
  openUntil: toTimestamp(row.open_until),
  pausedAt: toTimestamp(row.paused_at),
  pausedBy: row.paused_by ?? undefined,
  pending: BigInt(row.pending),
  held: BigInt(row.held),
  dead: BigInt(row.dead),
  pendingOrMore: row.pending_or_more,
  heldOrMore: row.held_or_more,
  deadOrMore: row.dead_or_more,
  oldestCreatedAt: toTimestamp(row.oldest_created_at),
})

/** Reads a filter; throws `Refused` for a field that is wrong. Unset, everything fits. */
export const readFilter = (given: DeliveryFilterMessage | undefined): DeliveryFilter => {
  const host = given?.host === undefined ? null : parseHost(given.host)
  if (host?.ok === false) throw wrongField('filter.host', host.problem)
  const errorClass = given?.errorClass === undefined ? null : parseErrorClass(given.errorClass)
  if (errorClass?.ok === false) throw wrongField('filter.error_class', errorClass.problem)
  return {
    ...toOwners(given, 'filter.partner_id'),
    host: host?.value ?? null,
    state: readState(given?.state ?? DeliveryState.UNSPECIFIED),
    errorClass: errorClass?.value ?? null,
    createdSince: readInstant('filter.created_since', given?.createdSince),
    createdUntil: readInstant('filter.created_until', given?.createdUntil),
  }
}

/** Whose things a filter asks for: real ones unless it says otherwise, so that nobody takes a rehearsal for a payment. */
export const toOwners = (
  given: { partnerId?: bigint | undefined; test: boolean } | undefined,
  field: 'partner_id' | 'filter.partner_id',
): { partnerId: bigint | null; isTest: boolean } => {
  const isTest = given?.test === true
  const partnerId = given?.partnerId ?? null
  if (partnerId !== null && partnerId < 1n) throw wrongField(field, 'must be a positive whole number')
  return { partnerId: partnerId !== null && isTest ? testIdOf(partnerId) : partnerId, isTest }
}

const readState = (state: DeliveryState): ShownDeliveryState | null => {
  if (state === DeliveryState.UNSPECIFIED) return null
  const name = DELIVERY_STATES.find((one) => STATES[one] === state)
  if (name === undefined) throw wrongField('filter.state', 'must be a state of deliveries')
  return name
}
