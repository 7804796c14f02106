import { timestampDate } from '@bufbuild/protobuf/wkt'
import { z } from 'zod'
import { type Attempt, type Delivery, DeliveryState } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { ERROR_CLASSES } from '../../values/error-class.ts'
import { toGuideInstant } from '../../values/instant.ts'
import { instant, nullableText } from '../fields.ts'

/** The states of a delivery by the name that partners read. */
export const DELIVERY_STATES = {
  pending: DeliveryState.PENDING,
  held: DeliveryState.HELD,
  delivered: DeliveryState.DELIVERED,
  dead: DeliveryState.DEAD,
  cancelled: DeliveryState.CANCELLED,
} as const

type StateName = keyof typeof DELIVERY_STATES

const STATE_NAMES = [
  'pending',
  'held',
  'delivered',
  'dead',
  'cancelled',
] as const satisfies readonly StateName[]

export const deliverySchema = z
  .strictObject({
    webhook_id: z.string().meta({
      description: 'The `webhook-id` of every attempt: tell by it what you have already.',
      examples: ['msg_102_successful'],
    }),
    state: z.enum(STATE_NAMES).meta({
      description:
        '`pending` waits for its next attempt, or has one under way; `held` waits for your endpoint, which is down, paused or only just back; `delivered` was answered with a 2xx; `dead` is not attempted any more; `cancelled` was ended by us.',
      examples: ['held'],
    }),
    attempt_count: z
      .int()
      .min(0)
      .meta({ description: 'How many attempts were made.', examples: [5] }),
    under_way: z.boolean().meta({ description: 'An attempt is being made now.', examples: [false] }),
    next_attempt_at: instant(
      'When the next attempt is due; null when none is, and while it is held. UTC.',
    ).nullable(),
    held_because: nullableText(
      'Why it is held: your endpoint is `paused` by us, `down`, asked just now whether it is back (`probing`), or back, and what was held goes out a little a second (`ramping`). Null when it is not held.',
      'down',
    ),
    held_until: instant(
      'When your endpoint, which is down, is asked next whether it is back; null otherwise. UTC.',
    ).nullable(),
    created_at: instant('When the outcome became known. UTC.'),
    ended_at: instant('When it was delivered, dead or cancelled; null until then. UTC.').nullable(),
    reason: nullableText('Why it is dead or cancelled, else null.', 'attempt 14 was the last and failed'),
  })
  .meta({ id: 'Delivery', description: 'The delivery of one outcome to your `callback_url`.' })

export const attemptSchema = z
  .strictObject({
    number: z
      .int()
      .min(1)
      .meta({ description: 'Counts from 1: the `webhook-attempt`.', examples: [5] }),
    started_at: instant('UTC.'),
    duration_ms: z
      .int()
      .nullable()
      .meta({
        description: 'How long it took, ms; null while it is under way, and where it was cut off.',
        examples: [41],
      }),
    http_status: z
      .int()
      .nullable()
      .meta({ description: 'The HTTP status that you answered; null without an answer.', examples: [500] }),
    error_class: nullableText(
      `Why it failed: ${ERROR_CLASSES.map((name) => `\`${name}\``).join(', ')}. Null when it did not, and while it is under way.`,
      'status',
    ),
    answer: nullableText(
      'The first 500 characters of your answer, long runs of digits masked; null without one.',
      'Internal Server Error',
    ),
  })
  .meta({ id: 'Attempt', description: 'One POST of an outcome.' })

export const DELIVERY_EXAMPLE: z.output<typeof deliverySchema> = {
  webhook_id: 'msg_102_successful',
  state: 'held',
  attempt_count: 1,
  under_way: false,
  next_attempt_at: null,
  held_because: 'down',
  held_until: '2025-05-22T08:52:05Z',
  created_at: '2025-05-22T08:47:05Z',
  ended_at: null,
  reason: null,
}

export const ATTEMPT_EXAMPLE: z.output<typeof attemptSchema> = {
  number: 1,
  started_at: '2025-05-22T08:47:05Z',
  duration_ms: 41,
  http_status: 500,
  error_class: 'status',
  answer: 'Internal Server Error',
}

export const toDelivery = (delivery: Delivery): z.output<typeof deliverySchema> => ({
  webhook_id: delivery.webhookId,
  state: toStateName(delivery.state),
  attempt_count: delivery.attempts,
  under_way: delivery.underWay,
  next_attempt_at: toInstant(delivery.nextAttemptAt),
  held_because: delivery.heldBecause ?? null,
  held_until: toInstant(delivery.heldUntil),
  created_at: given(toInstant(delivery.createdAt), 'created_at'),
  ended_at: toInstant(delivery.endedAt),
  reason: delivery.reason ?? null,
})

export const toAttempt = (attempt: Attempt): z.output<typeof attemptSchema> => ({
  number: attempt.number,
  started_at: given(toInstant(attempt.startedAt), 'started_at'),
  duration_ms: attempt.durationMs ?? null,
  http_status: attempt.status ?? null,
  error_class: attempt.errorClass ?? null,
  answer: attempt.answer ?? null,
})

const toStateName = (state: DeliveryState): StateName =>
  given(STATE_NAMES.find((name) => DELIVERY_STATES[name] === state) ?? null, 'state')

const toInstant = (timestamp: Delivery['createdAt']): string | null =>
  timestamp === undefined ? null : toGuideInstant(timestampDate(timestamp))

const given = <Value>(value: Value | null, field: string): Value => {
  if (value === null) throw new Error(`the core gave a delivery without ${field}`)
  return value
}
