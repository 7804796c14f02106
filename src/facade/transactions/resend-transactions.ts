import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { DeliveryState } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { INSTANT_PATTERN, parseInstant } from '../../values/instant.ts'
import { PAYMENT_STATES } from '../../values/payment-state.ts'
import { MAX_REFERENCE_CHARACTERS, parseReference } from '../../values/reference.ts'
import { MOST_RESENT, RESENT_PER_SECOND } from '../../values/resend.ts'
import { answer, partnerOperation, refusal } from '../answers.ts'
import { callOptions } from '../authenticate.ts'
import { type CheckedBySchema, NO_PARAMETERS } from '../described-route.ts'
import { JSON_TYPE, MAX_BODY_BYTES, MESSAGES, tooLarge } from '../errors.ts'
import { optionalField } from '../parameter.ts'
import { requireLength } from '../request/read-json-object.ts'
import { DELIVERY_STATES } from './delivery.ts'
import { TRANSACTIONS_PATH } from './list-transactions.ts'

const UNDELIVERED = ['undelivered', 'pending', 'held', 'dead', 'cancelled'] as const
const OUTCOMES = ['successful', 'failed'] as const

const instantField = (description: string) =>
  optionalField(
    parseInstant,
    z
      .string()
      .regex(INSTANT_PATTERN)
      .meta({ description, format: 'date-time', examples: ['2025-05-22T02:00:00Z'] }),
  )

const MAX_RATE = RESENT_PER_SECOND.max

const body = z
  .strictObject({
    delivery: z
      .enum(UNDELIVERED, { error: `must be one of ${UNDELIVERED.join(', ')}` })
      .optional()
      .meta({
        description:
          'How the outcome stands: `undelivered`, which is any of the others, unless you say which.',
        examples: ['undelivered'],
      }),
    status: z
      .enum(OUTCOMES, { error: `must be one of ${OUTCOMES.join(', ')}: others have no outcome` })
      .optional()
      .meta({ description: 'Only outcomes of payments that ended so.', examples: ['successful'] }),
    reference: optionalField(
      parseReference,
      z
        .string()
        .min(1)
        .max(MAX_REFERENCE_CHARACTERS)
        .meta({
          description: 'Only outcomes of payments with exactly this reference of yours.',
          examples: ['INV-2025-001'],
        }),
    ),
    created_from: instantField('Only outcomes of payments that were accepted at this instant or later.'),
    created_to: instantField('Only outcomes of payments that were accepted before this instant.'),
    outcome_from: instantField('Only outcomes that became known at this instant or later.'),
    outcome_to: instantField('Only outcomes that became known before this instant.'),
    per_second: z
      .int({ error: `must be a whole number from 1 to ${MAX_RATE}` })
      .min(1, { error: `must be a whole number from 1 to ${MAX_RATE}` })
      .max(MAX_RATE, { error: `must be a whole number from 1 to ${MAX_RATE}` })
      .optional()
      .meta({
        description: `How many are sent a second; ${RESENT_PER_SECOND.usual} unless you say otherwise.`,
        examples: [20],
      }),
    dry_run: z
      .boolean({ error: 'must be true or false' })
      .optional()
      .meta({
        description: 'True: nothing is sent, and it is only counted how many there are.',
        examples: [true],
      }),
  })
  .meta({ id: 'ResendRequest', description: 'Which outcomes: those that fit every field that is given.' })

const counted = z.strictObject({
  status: z.literal('success'),
  found: z
    .int()
    .meta({ description: `How many fit, counted no further than ${MOST_RESENT}.`, examples: [12] }),
  more: z.boolean().meta({
    description: `More than ${MOST_RESENT} fit. These are the oldest: ask again once they are sent.`,
    examples: [false],
  }),
})

const countAnswer = counted
  .extend({ dry_run: z.literal(true) })
  .meta({ id: 'ResendCount', description: 'How many there are; nothing was sent.' })

const manyAnswer = counted
  .extend({
    resent: z.int().meta({ description: 'Are sent now, so many a second.', examples: [9] }),
    held: z.int().meta({ description: 'Are sent when your endpoint is back.', examples: [2] }),
    waiting: z.int().meta({ description: 'Were about to be sent, and are not queued twice.', examples: [1] }),
    under_way: z.int().meta({ description: 'Are being sent.', examples: [0] }),
  })
  .meta({ id: 'ResendManyAnswer', description: 'What is done with them.' })

const operation = partnerOperation({
  operationId: 'resendOutcomes',
  summary: 'Have everything sent again that you missed',
  description: `The latest outcomes of your payments that your endpoint has not answered with a 2xx are POSTed again, oldest first, at most ${MOST_RESENT}, each under the \`webhook-id\` that it had. With \`dry_run\` they are only counted. May be repeated: what waits already is not queued twice.`,
  requestBody: {
    content: {
      'application/json': {
        schema: body,
        examples: {
          count: { value: { outcome_from: '2025-05-22T02:00:00Z', dry_run: true } },
          all: { value: { outcome_from: '2025-05-22T02:00:00Z', per_second: 20 } },
        },
      },
    },
  },
  responses: {
    '200': answer('With `dry_run`: how many there are.', countAnswer, {
      counted: { status: 'success', found: 12, more: false, dry_run: true },
    }),
    '202': answer('They are sent, so many a second.', manyAnswer, {
      resent: { status: 'success', found: 12, more: false, resent: 9, held: 2, waiting: 1, under_way: 0 },
    }),
    '400': refusal(
      'The body is not a JSON object, or a field is wrong or unknown. Nothing is sent.',
      `per_second must be a whole number from 1 to ${MAX_RATE}`,
    ),
    '413': refusal(`The body has more than ${MAX_BODY_BYTES} bytes.`, tooLarge(MAX_BODY_BYTES)),
    '415': refusal('The body is not declared as `application/json`, or it is compressed.', MESSAGES.notJson),
  },
})

/** `POST /api/v1/mpesa/transactions/resend`: everything that the partner missed. */
export const registerResendTransactions = (
  server: FastifyInstance,
  payments: Client<typeof PaymentService>,
): void => {
  server.withTypeProvider<CheckedBySchema>().post(
    `${TRANSACTIONS_PATH}/resend`,
    {
      schema: { params: NO_PARAMETERS, querystring: NO_PARAMETERS, body },
      onRequest: requireLength,
      config: { operation },
    },
    async (request, reply) => {
      const isDryRun = request.body.dry_run === true
      const done = await payments.resendOutcomes(toRequest(request.body), callOptions(request))
      const { found, more, resent, held, waiting, underWay } = done
      reply.code(isDryRun ? 200 : 202).header('content-type', JSON_TYPE)
      const answered: z.output<typeof countAnswer> | z.output<typeof manyAnswer> = isDryRun
        ? { status: 'success', found, more, dry_run: true }
        : { status: 'success', found, more, resent, held, waiting, under_way: underWay }
      return JSON.stringify(answered)
    },
  )
}

/** By the names of the core. */
const toRequest = (asked: z.output<typeof body>) => ({
  delivery:
    asked.delivery === undefined || asked.delivery === 'undelivered'
      ? DeliveryState.UNSPECIFIED
      : DELIVERY_STATES[asked.delivery],
  ...(asked.status !== undefined && { state: PAYMENT_STATES[asked.status] }),
  reference: asked.reference,
  createdFrom: asked.created_from && timestampFromDate(asked.created_from),
  createdTo: asked.created_to && timestampFromDate(asked.created_to),
  outcomeFrom: asked.outcome_from && timestampFromDate(asked.outcome_from),
  outcomeTo: asked.outcome_to && timestampFromDate(asked.outcome_to),
  perSecond: asked.per_second ?? 0,
  validateOnly: asked.dry_run === true,
})
