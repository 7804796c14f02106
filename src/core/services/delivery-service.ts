import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type {
  DeliveryService,
  ListDeliveriesRequest,
  ListEndpointsRequest,
} from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { Log } from '../../runtime/log.ts'
import { type Endpoint, endpointKey } from '../../values/endpoint.ts'
import { parseId } from '../../values/ids.ts'
import type { Actor } from '../audit/record-audit.ts'
import { listEndpoints, pauseEndpoint, resumeEndpoint } from '../deliveries/endpoints.ts'
import { parseHost } from '../deliveries/filter.ts'
import { findAttempts, findDelivery, listDeliveries } from '../deliveries/find.ts'
import { requireScope } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { createDeliveryChanges } from './delivery-changes.ts'
import { readFilter, toAttemptMessage, toDeliveryMessage, toEndpointMessage } from './delivery-message.ts'
import { invalidField, withErrorMapping } from './errors.ts'

const MAX_PAGE = 1000

export type DeliveryServiceParts = {
  database: Database
  checks: Pick<CallerChecks, 'checkToken'>
  log: Log
  /** Called after deliveries became due. */
  onDeliveriesDue: () => void
}

/** The one implementation of DeliveryService. */
export const createDeliveryService = (parts: DeliveryServiceParts): ServiceImpl<typeof DeliveryService> => {
  const { database } = parts
  const { retry, cancel } = createDeliveryChanges(parts)

  /** Lets in who may manage deliveries, and does the work in the caller's name. */
  const serve = <Result>(context: HandlerContext, work: (actor: Actor) => Promise<Result>): Promise<Result> =>
    withErrorMapping(parts.log, context, async () =>
      work(await requireScope(context, parts.checks, 'deliveries:manage')),
    )

  return {
    listDeliveries: (request, context) => serve(context, () => list(database, request)),
    getDelivery: ({ deliveryId }, context) => serve(context, () => get(database, deliveryId)),
    retryDeliveries: (request, context) => serve(context, (actor) => retry(request, actor)),
    cancelDeliveries: (request, context) => serve(context, (actor) => cancel(request, actor)),
    listEndpoints: (request, context) => serve(context, () => endpoints(database, request)),
    pauseEndpoint: (request, context) =>
      serve(context, (actor) => pause(parts, readEndpoint(request), actor)),
    resumeEndpoint: (request, context) =>
      serve(context, (actor) => resume(parts, readEndpoint(request), actor)),
  }
}

const list = async (database: Database, request: ListDeliveriesRequest) => {
  const limit = readPageSize(request.pageSize, 20)
  const before = request.before ?? null
  if (before !== null && before < 1n) throw invalidField('before', 'must be a positive delivery id')
  // One more than the page tells whether there is a next one.
  const rows = await listDeliveries({
    database,
    filter: readFilter(request.filter),
    limit: limit + 1,
    before,
  })
  const page = rows.slice(0, limit)
  return {
    deliveries: page.map(toDeliveryMessage),
    nextBefore: rows.length > limit ? page.at(-1)?.delivery_id : undefined,
  }
}

const readPageSize = (pageSize: number, usual: number): number => {
  const limit = pageSize === 0 ? usual : pageSize
  if (limit < 1 || limit > MAX_PAGE)
    throw invalidField('page_size', `must be a whole number from 1 to ${MAX_PAGE}`)
  return limit
}

const get = async (database: Database, deliveryId: bigint) => {
  const delivery = await findDelivery(database, deliveryId)
  if (delivery === undefined) throw new ConnectError('there is no such delivery', Code.NotFound)
  const attempts = await findAttempts(database, deliveryId)
  return { delivery: toDeliveryMessage(delivery), attempts: attempts.map(toAttemptMessage) }
}

const endpoints = async (database: Database, request: ListEndpointsRequest) => {
  const limit = readPageSize(request.pageSize, 100)
  const rows = await listEndpoints({
    database,
    partnerId: request.partnerId ?? null,
    pausedOnly: request.pausedOnly,
    after: readPageToken(request.pageToken),
    limit: limit + 1,
  })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const nextPageToken =
    rows.length > limit && last ? endpointKey({ partnerId: last.partner_id, host: last.host }) : ''
  return { endpoints: page.map(toEndpointMessage), nextPageToken }
}

const readPageToken = (token: string): Endpoint | null => {
  if (token === '') return null
  const [id = '', host = ''] = token.split(' ')
  const partnerId = parseId(id)
  if (partnerId === null) throw invalidField('page_token', 'must be the next_page_token of the page before')
  return { partnerId, host }
}

const readEndpoint = (request: { partnerId: bigint; host: string }): Endpoint => {
  const host = parseHost(request.host)
  if (!host.ok) throw invalidField('host', host.problem)
  return { partnerId: request.partnerId, host: host.value }
}

const pause = async (parts: DeliveryServiceParts, endpoint: Endpoint, actor: Actor) => {
  const paused = await pauseEndpoint({ ...parts, ...endpoint, actor })
  if (paused === null) throw new ConnectError('there is no such partner', Code.NotFound)
  parts.log.info({ event: 'endpoint_paused', ...about(endpoint) })
  return { pausedAt: timestampFromDate(paused.pausedAt) }
}

const resume = async (parts: DeliveryServiceParts, endpoint: Endpoint, actor: Actor) => {
  const resumed = await resumeEndpoint({ ...parts, ...endpoint, actor })
  if (resumed === null) throw new ConnectError('this endpoint is not paused', Code.NotFound)
  parts.log.info({ event: 'endpoint_resumed', ...about(endpoint), held: resumed.held })
  return { held: BigInt(resumed.held) }
}

const about = ({ partnerId, host }: Endpoint) => ({ partner_id: Number(partnerId), host })
