import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import {
  type ListPaymentEventsRequest,
  type ListPaymentEventsResponseSchema,
  type PaymentEventSchema,
  type PaymentEventService,
  type WatchPaymentsRequest,
  type WatchPaymentsResponse,
  WatchPaymentsResponseSchema,
} from '../../gen/mpesa/gateway/v1/payment_events_pb.js'
import type { Log } from '../../runtime/log.ts'
import { EVENTS_PAGE } from '../../values/page-size.ts'
import { PAYMENT_STATES } from '../../values/payment-state.ts'
import { partnerIdOf } from '../../values/test-partner.ts'
import { type CatchUp, type EventFilter, selectEvents } from '../events/catch-up.ts'
import { type Lineage, renderCursor } from '../events/cursor.ts'
import type { PaymentEvent } from '../events/read-events.ts'
import type { EventBatch, EventTail } from '../events/tail.ts'
import { type Watched, watchEvents } from '../events/watch.ts'
import { createWatcherCount, type WatcherCount, type WatcherLimits } from '../events/watcher-limits.ts'
import type { CoreMetrics } from '../metrics.ts'
import { requireReader, requireStillReader } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField, tooManyWatchers, withErrorMapping, withStreamErrorMapping } from './errors.ts'
import { createEventStart, type EventStart } from './event-start.ts'
import { readPageSize } from './message-fields.ts'
import { toPaymentMessage } from './payment-message.ts'

export type PaymentEventServiceParts = {
  database: Database
  tail: EventTail
  catchUp: CatchUp
  limits: WatcherLimits
  checks: CallerChecks
  log: Log
  metrics: CoreMetrics
  nowMs: () => number
}

/** How often it is looked whether a watcher still may, ms; the answer may be five seconds old. */
const CHECK_MS = 8_000

const HEARTBEAT = { usualSeconds: 15, maxSeconds: 300 }

type Parts = PaymentEventServiceParts & {
  start: EventStart
  count: WatcherCount
  messages: WeakMap<EventBatch, Map<string, WatchPaymentsResponse>>
}

/** The one implementation of PaymentEventService. */
export const createPaymentEventService = (
  given: PaymentEventServiceParts,
): ServiceImpl<typeof PaymentEventService> => {
  const parts: Parts = {
    ...given,
    start: createEventStart(given),
    count: createWatcherCount(given.limits),
    messages: new WeakMap(),
  }
  return {
    watchPayments: (request, context) =>
      withStreamErrorMapping(parts.log, context, () => watch(parts, request, context)),
    listPaymentEvents: (request, context) =>
      withErrorMapping(parts.log, context, () => list(parts, request, context)),
  }
}

async function* watch(
  parts: Parts,
  request: WatchPaymentsRequest,
  context: HandlerContext,
): AsyncGenerator<WatchPaymentsResponse> {
  const { tail, catchUp, checks, metrics, nowMs } = parts
  const reader = await requireReader(context, checks)
  const heartbeatMs = readHeartbeat(request.heartbeatSeconds)
  const { filter, after, lineage } = await parts.start(request, reader)
  const leave = parts.count.enter(reader === 'anybody' ? null : reader.partnerId)
  if (typeof leave !== 'function') throw tooManyWatchers(leave)
  metrics.watchers(1)
  try {
    const watched = watchEvents({
      tail,
      catchUp,
      filter,
      after,
      heartbeatMs,
      checkMs: CHECK_MS,
      check: () => requireStillReader(context, checks),
      signal: context.signal,
      nowMs,
    })
    for await (const one of watched) {
      metrics.sentEvents(one.events.length)
      yield toMessage(parts, one, filter, lineage)
    }
  } finally {
    metrics.watchers(-1)
    leave()
  }
}

const readHeartbeat = (seconds: number): number => {
  if (seconds < 0 || seconds > HEARTBEAT.maxSeconds) {
    throw invalidField('heartbeat_seconds', `must be a whole number from 1 to ${HEARTBEAT.maxSeconds}`)
  }
  return (seconds || HEARTBEAT.usualSeconds) * 1000
}

/** One message for all who watch the same: it is made, and later written as bytes, once. */
const toMessage = (
  { messages }: Parts,
  { events, last, batch }: Watched,
  filter: EventFilter,
  lineage: Lineage,
): WatchPaymentsResponse => {
  const make = () =>
    create(WatchPaymentsResponseSchema, {
      events: events.map((event) => toEventMessage(event, lineage)),
      cursor: renderCursor(last, lineage),
    })
  if (batch === null) return make()
  const made = messages.get(batch) ?? new Map<string, WatchPaymentsResponse>()
  messages.set(batch, made)
  const name = nameOf(filter)
  const message = made.get(name) ?? make()
  made.set(name, message)
  return message
}

const nameOf = (filter: EventFilter): string => {
  if (filter === null) return 'all'
  return 'partnerId' in filter ? `partner ${filter.partnerId}` : `payment ${filter.paymentId}`
}

const list = async (
  parts: Parts,
  request: ListPaymentEventsRequest,
  context: HandlerContext,
): Promise<MessageInitShape<typeof ListPaymentEventsResponseSchema>> => {
  const reader = await requireReader(context, parts.checks)
  const pageSize = readPageSize(request.pageSize, EVENTS_PAGE)
  const { filter, after, lineage, isNow } = await parts.start(request, reader)
  if (isNow) return { cursor: renderCursor(after, lineage) }
  const found = await parts.catchUp({ after, filter })
  const own = selectEvents(found.events, filter)
  const events = own.slice(0, pageSize)
  const isCut = events.length < own.length
  const last = isCut ? (events.at(-1)?.key ?? after) : found.last
  parts.metrics.sentEvents(events.length)
  return {
    events: events.map((event) => toEventMessage(event, lineage)),
    cursor: renderCursor(last, lineage),
    more: isCut || found.more,
  }
}

const toEventMessage = (
  { key, from, to, at, payment }: PaymentEvent,
  lineage: Lineage,
): MessageInitShape<typeof PaymentEventSchema> => ({
  paymentId: payment.id,
  partnerId: partnerIdOf(payment.partner_id),
  number: key.number,
  ...(from !== null && { fromState: PAYMENT_STATES[from] }),
  state: PAYMENT_STATES[to],
  at: timestampFromDate(at),
  payment: toPaymentMessage(payment),
  cursor: renderCursor(key, lineage),
})
