import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type {
  DeliveryFilter as DeliveryFilterMessage,
  DeliveryService,
} from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { Log } from '../../runtime/log.ts'
import { type Endpoint, endpointKey } from '../../values/endpoint.ts'
import { parseId } from '../../values/ids.ts'
import { testIdOf } from '../../values/test-partner.ts'
import {
  CANCELLED_STATES,
  type Changed,
  cancelMany,
  RETRIED_STATES,
  retryMany,
  type Selection,
} from '../deliveries/change-many.ts'
import { countDeliveries } from '../deliveries/count.ts'
import { pauseEndpoint, resumeEndpoint } from '../deliveries/endpoints.ts'
import { parseHost, type ShownDeliveryState } from '../deliveries/filter.ts'
import { findAttempts, findDelivery, listDeliveries } from '../deliveries/find.ts'
import { listEndpoints } from '../deliveries/list-endpoints.ts'
import { probeEndpoint } from '../deliveries/probe.ts'
import { parseReason } from '../deliveries/reason.ts'
import {
  CHANGE_OUTCOMES,
  ENDPOINT_STATES,
  readFilter,
  toAttemptMessage,
  toDeliveryMessage,
  toEndpointMessage,
  toOwners,
} from './delivery-message.ts'
import { readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { noSuchPartner, Refused, wrongField } from './refused.ts'

/** What the methods about deliveries use. */
export type DeliveryParts = {
  database: Database
  log: Log
  /** Called after deliveries became due. */
  onDeliveriesDue: () => void
}

type Methods = OperatorMethods<typeof DeliveryService, DeliveryParts>

/** Deliveries that a request names at most. */
export const MAX_NAMED = 1000

/** Deliveries that are looked at at most to say how many fit: some hundred thousand blocks, where each is looked up. */
export const MOST_LOOKED_AT = 100_000

/** Deliveries that a retry makes due in a second at most. */
export const MAX_PER_SECOND = 1000

const answerList: Methods['listDeliveries'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 20, max: 1000 })
  const before = request.before ?? null
  if (before !== null && before < 1n) throw wrongField('before', 'must be a positive delivery id')
  const filter = readFilter(request.filter)
  // One more than the page shows whether there is a next one.
  const { deliveries, lookedTo } = await listDeliveries({ database, filter, limit: limit + 1, before })
  const page = deliveries.slice(0, limit)
  return {
    deliveries: page.map(toDeliveryMessage),
    nextBefore: deliveries.length > limit ? page.at(-1)?.delivery_id : (lookedTo ?? undefined),
  }
}

const answerGet: Methods['getDelivery'] = async ({ database }, { deliveryId }) => {
  const delivery = await findDelivery(database, deliveryId)
  if (delivery === undefined) throw new Refused('not_found', `there is no delivery ${deliveryId}`)
  const attempts = await findAttempts(database, deliveryId)
  return { delivery: toDeliveryMessage(delivery), attempts: attempts.map(toAttemptMessage) }
}

const answerRetry: Methods['retryDeliveries'] = async (parts, request, actor) => {
  const { database, log } = parts
  const { sendDeliveredAgain } = request
  const states = sendDeliveredAgain ? ([...RETRIED_STATES, 'delivered'] as const) : RETRIED_STATES
  const selection = readSelection(request, states)
  const perSecond = readPerSecond(request.perSecond)
  if (request.validateOnly) return await count(database, selection, readLookAtMost(request.lookAtMost))
  const done = await retryMany({ database, actor, selection, sendDeliveredAgain, perSecond })
  parts.onDeliveriesDue()
  log.info({ event: 'deliveries_retried', found: done.found, retried: done.changed })
  const held = BigInt(done.counts.held ?? 0)
  return { found: BigInt(done.found), retried: BigInt(done.changed), held, changes: toChanges(done) }
}

const answerCancel: Methods['cancelDeliveries'] = async ({ database, log }, request, actor) => {
  const selection = readSelection(request, CANCELLED_STATES)
  const reason = parseReason(request.reason)
  if (!reason.ok) throw wrongField('reason', reason.problem)
  if (request.validateOnly) return await count(database, selection, readLookAtMost(request.lookAtMost))
  const done = await cancelMany({ database, actor, selection, reason: reason.value })
  log.info({ event: 'deliveries_cancelled', found: done.found, cancelled: done.changed })
  return { found: BigInt(done.found), cancelled: BigInt(done.changed), changes: toChanges(done) }
}

/** What the request names, or else all that fit its filter. Throws `Refused` for neither, both, or too much. */
const readSelection = (
  request: { deliveryIds: bigint[]; filter?: DeliveryFilterMessage | undefined },
  states: readonly ShownDeliveryState[],
): Selection => {
  const ids = request.deliveryIds
  if (ids.length > MAX_NAMED) throw wrongField('delivery_ids', `must be at most ${MAX_NAMED}`)
  if (ids.length > 0 && request.filter !== undefined) {
    throw wrongField('filter', 'must not be set beside delivery_ids')
  }
  if (ids.length > 0) return { ids }
  if (request.filter === undefined) throw wrongField('delivery_ids', 'or filter must be set')
  const filter = readFilter(request.filter)
  if (filter.state === null || !states.includes(filter.state)) {
    throw wrongField('filter.state', `must be one of ${states.join(', ')}`)
  }
  return { filter }
}

const readPerSecond = (perSecond: number): number | null => {
  if (perSecond < 0 || perSecond > MAX_PER_SECOND) {
    throw wrongField('per_second', `must be a whole number from 0 to ${MAX_PER_SECOND}`)
  }
  return perSecond === 0 ? null : perSecond
}

const readLookAtMost = (most: number): number => {
  if (most < 0 || most > MOST_LOOKED_AT)
    throw wrongField('look_at_most', `must be a whole number from 0 to ${MOST_LOOKED_AT}`)
  return most === 0 ? MOST_LOOKED_AT : most
}

const count = async (
  database: Database,
  selection: Selection,
  most: number,
): Promise<{ found: bigint; foundOrMore: boolean }> => {
  if ('ids' in selection) return { found: BigInt(new Set(selection.ids).size), foundOrMore: false }
  const { found, isMore } = await countDeliveries(database, selection.filter, most)
  return { found: BigInt(found), foundOrMore: isMore }
}

const toChanges = ({ changes }: Changed) =>
  changes.map(({ deliveryId, outcome }) => ({ deliveryId, outcome: CHANGE_OUTCOMES[outcome] }))

const answerListEndpoints: Methods['listEndpoints'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const { partnerId, isTest } = toOwners(request, 'partner_id')
  const host = request.host === undefined ? null : parseHost(request.host)
  if (host?.ok === false) throw wrongField('host', host.problem)
  const rows = await listEndpoints({
    database,
    partnerId,
    isTest,
    host: host?.value ?? null,
    pausedOnly: request.pausedOnly,
    after: readPageToken(request.pageToken, request.test),
    limit: limit + 1,
  })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const nextPageToken = rows.length > limit && last ? endpointKey(last) : ''
  return { endpoints: page.map(toEndpointMessage), nextPageToken }
}

const readPageToken = (token: string, isTest: boolean): Endpoint | null => {
  if (token === '') return null
  const [id = '', host = ''] = token.split(' ')
  const partner_id = parseId(id.replace('-', ''))
  if (partner_id === null) throw wrongField('page_token', 'must be the next_page_token of the page before')
  return { partner_id: isTest ? testIdOf(partner_id) : partner_id, host }
}

const readEndpoint = (request: { partnerId: bigint; host: string }): Endpoint => {
  const host = parseHost(request.host)
  if (!host.ok) throw wrongField('host', host.problem)
  return { partner_id: request.partnerId, host: host.value }
}

const answerPause: Methods['pauseEndpoint'] = async ({ database, log }, request, actor) => {
  const { partner_id, host } = readEndpoint(request)
  const paused = await pauseEndpoint({ database, partner_id, host, actor })
  if (paused === null) throw noSuchPartner(partner_id)
  log.info({ event: 'endpoint_paused', partner_id: Number(partner_id), host })
  return { pausedAt: timestampFromDate(paused.pausedAt) }
}

const answerProbe: Methods['probeEndpoint'] = async ({ database, log }, request, actor) => {
  const { partner_id, host } = readEndpoint(request)
  const probed = await probeEndpoint({ database, partner_id, host, actor })
  const name = `endpoint ${host} of partner ${partner_id}`
  if (probed === null) throw new Refused('not_found', `${name} is not in trouble: nothing is held for it`)
  if (probed.isPaused) {
    throw new Refused('not_possible', `${name} is paused: resume it, and what is held for it is let go`)
  }
  const { state, held, isMore } = probed
  if (state === 'open') log.info({ event: 'endpoint_probed', partner_id: Number(partner_id), host, held })
  return { state: ENDPOINT_STATES[state], held: BigInt(held), heldOrMore: isMore }
}

const answerResume: Methods['resumeEndpoint'] = async ({ database, log }, request, actor) => {
  const { partner_id, host } = readEndpoint(request)
  const resumed = await resumeEndpoint({ database, partner_id, host, actor })
  if (resumed === null) {
    throw new Refused('not_found', `endpoint ${host} of partner ${partner_id} is not paused`)
  }
  log.info({ event: 'endpoint_resumed', partner_id: Number(partner_id), host, held: resumed.held })
  return { held: BigInt(resumed.held), heldOrMore: resumed.isMore }
}

/** DeliveryService. */
export const deliveryMethods: Methods = {
  listDeliveries: answerList,
  getDelivery: answerGet,
  retryDeliveries: answerRetry,
  cancelDeliveries: answerCancel,
  listEndpoints: answerListEndpoints,
  pauseEndpoint: answerPause,
  probeEndpoint: answerProbe,
  resumeEndpoint: answerResume,
}
