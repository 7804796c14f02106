import { timestampDate } from '@bufbuild/protobuf/wkt'
import type { Client } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { PartStatus, StatusService } from '../gen/mpesa/gateway/v1/status_pb.js'
import { toGuideInstant } from '../values/instant.ts'
import { answer, COMMON_ERRORS, refusal } from './answers.ts'
import { type CheckedBySchema, checkBySchema, NO_PARAMETERS, type Operation } from './described-route.ts'
import { JSON_TYPE } from './errors.ts'
import { instant } from './fields.ts'

export const STATUS_PATH = '/api/v1/status'

const part = (description: string) =>
  z
    .strictObject({
      ok: z
        .boolean()
        .nullable()
        .meta({
          description: 'False: it is not as it should be. Null: it cannot be known now.',
          examples: [true],
        }),
      since: instant('Since when it is not ok, UTC; null while it is.').nullable(),
    })
    .meta({ description })

const statusSchema = z
  .strictObject({
    status: z.literal('success'),
    at: instant('When this was looked at. UTC.'),
    payments: part('Payments can be asked for.'),
    prompts: part('Payers are prompted without delay.'),
    daraja: part('M-PESA takes what is asked of it: not ok while it holds us off.'),
    outcomes: part('Outcomes are delivered when they are due.'),
  })
  .meta({ id: 'StatusAnswer', description: 'How the gateway is doing.' })

const OK = { ok: true, since: null }

const operation: Operation = {
  operationId: 'getStatus',
  tags: ['Payments'],
  summary: 'How the gateway is doing; needs no key',
  security: [],
  responses: {
    '200': answer('How each part is doing, a second old at most.', statusSchema, {
      well: {
        status: 'success',
        at: '2025-05-22T08:47:05Z',
        payments: OK,
        prompts: OK,
        daraja: OK,
        outcomes: OK,
      },
    }),
    '400': refusal('A parameter that there is not.', 'verbose is no parameter of this request: it has none'),
    ...COMMON_ERRORS,
  },
}

/** `GET /api/v1/status`: whether things happen and since when not, for anybody; no number of ours. */
export const registerGetStatus = (server: FastifyInstance, status: Client<typeof StatusService>): void => {
  checkBySchema(server)
  server
    .withTypeProvider<CheckedBySchema>()
    .get(
      STATUS_PATH,
      { schema: { querystring: NO_PARAMETERS }, config: { operation } },
      async (_request, reply) => {
        const { at, payments, prompts, daraja, outcomes } = await status.getStatus({})
        reply.header('content-type', JSON_TYPE).header('cache-control', 'public, max-age=1')
        const body: z.output<typeof statusSchema> = {
          status: 'success',
          at: at === undefined ? '' : toGuideInstant(timestampDate(at)),
          payments: toPart(payments),
          prompts: toPart(prompts),
          daraja: toPart(daraja),
          outcomes: toPart(outcomes),
        }
        return JSON.stringify(body)
      },
    )
}

const toPart = (given: PartStatus | undefined): { ok: boolean | null; since: string | null } => ({
  ok: given?.ok ?? null,
  since: given?.since === undefined ? null : toGuideInstant(timestampDate(given.since)),
})
