import type { Database } from '../../database/connect.ts'
import type {
  CancelDeliveriesRequest,
  DeliveryFilter as DeliveryFilterMessage,
  RetryDeliveriesRequest,
} from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { Actor } from '../audit/record-audit.ts'
import {
  CANCELLED_STATES,
  type Changed,
  cancelMany,
  RETRIED_STATES,
  retryMany,
  type Selection,
} from '../deliveries/change-many.ts'
import type { ShownDeliveryState } from '../deliveries/filter.ts'
import { countDeliveries } from '../deliveries/find.ts'
import { parseReason } from '../deliveries/reason.ts'
import { CHANGE_OUTCOMES, readFilter } from './delivery-message.ts'
import { invalidField } from './errors.ts'

const MAX_NAMED = 1000
const MAX_PER_SECOND = 1000

type Parts = { database: Database; log: Log; onDeliveriesDue: () => void }

/** The methods that change deliveries; `actor` is who wants it. */
export const createDeliveryChanges = (parts: Parts) => ({
  retry: async (request: RetryDeliveriesRequest, actor: Actor) => {
    const selection = readSelection(
      request,
      request.sendDeliveredAgain ? [...RETRIED_STATES, 'delivered'] : RETRIED_STATES,
    )
    const perSecond = readPerSecond(request.perSecond)
    if (request.validateOnly) return { found: await count(parts.database, selection) }
    const done = await retryMany({ ...parts, ...request, actor, selection, perSecond })
    parts.onDeliveriesDue()
    parts.log.info({ event: 'deliveries_retried', found: done.found, retried: done.changed })
    return { ...toMessage(done), retried: BigInt(done.changed) }
  },
  cancel: async (request: CancelDeliveriesRequest, actor: Actor) => {
    const selection = readSelection(request, CANCELLED_STATES)
    const reason = parseReason(request.reason)
    if (!reason.ok) throw invalidField('reason', reason.problem)
    if (request.validateOnly) return { found: await count(parts.database, selection) }
    const done = await cancelMany({ ...parts, actor, selection, reason: reason.value })
    parts.log.info({ event: 'deliveries_cancelled', found: done.found, cancelled: done.changed })
    return { ...toMessage(done), cancelled: BigInt(done.changed) }
  },
})

/** What the request names, or else all that fit its filter. Throws INVALID_ARGUMENT for neither, both, or too much. */
const readSelection = (
  request: { deliveryIds: bigint[]; filter?: DeliveryFilterMessage | undefined },
  states: readonly ShownDeliveryState[],
): Selection => {
  const ids = request.deliveryIds
  if (ids.length > MAX_NAMED) throw invalidField('delivery_ids', `must be at most ${MAX_NAMED}`)
  if (ids.length > 0 && request.filter !== undefined) {
    throw invalidField('filter', 'must not be set beside delivery_ids')
  }
  if (ids.length > 0) return { ids }
  if (request.filter === undefined) throw invalidField('delivery_ids', 'or filter must be set')
  const filter = readFilter(request.filter)
  if (filter.state === null || !states.includes(filter.state)) {
    throw invalidField('filter.state', `must be one of ${states.join(', ')}`)
  }
  return { filter }
}

const readPerSecond = (perSecond: number): number | null => {
  if (perSecond < 0 || perSecond > MAX_PER_SECOND) {
    throw invalidField('per_second', `must be a whole number from 0 to ${MAX_PER_SECOND}`)
  }
  return perSecond === 0 ? null : perSecond
}

const count = async (database: Database, selection: Selection): Promise<bigint> =>
  BigInt('ids' in selection ? new Set(selection.ids).size : await countDeliveries(database, selection.filter))

const toMessage = (done: Changed) => ({
  found: BigInt(done.found),
  changes: done.changes.map(({ deliveryId, outcome }) => ({ deliveryId, outcome: CHANGE_OUTCOMES[outcome] })),
})
