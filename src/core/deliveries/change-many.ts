import type { Database } from '../../database/connect.ts'
import type { Actor } from '../audit/record-audit.ts'
import { type CancelOptions, cancelDeliveries } from './cancel.ts'
import type { DeliveryFilter, ShownDeliveryState } from './filter.ts'
import { findFitting } from './find-fitting.ts'
import type { ChangeOutcome, DeliveryChange } from './lock.ts'
import { findOutcomeIds, type OutcomeFilter } from './outcomes.ts'
import { retryDeliveries, takesTurn } from './retry.ts'

/** How many are locked, changed and committed together. */
const CHUNK = 500

/** Which deliveries an operator means: these, or all that fit. */
export type Selection = { ids: readonly bigint[] } | { filter: DeliveryFilter }

/** The same, or so many of those of a partner's outcomes that fit. */
type AnySelection = Selection | { outcomes: OutcomeFilter; atMost: number }

/** The states of which all may be retried, or cancelled, by a filter. */
export const RETRIED_STATES: readonly ShownDeliveryState[] = ['pending', 'held', 'dead', 'cancelled']
export const CANCELLED_STATES: readonly ShownDeliveryState[] = ['pending', 'held']

/** What came of many. */
export type Changed = {
  found: number
  changed: number
  /** How many came to what; an outcome that none came to is not there. */
  counts: Partial<Record<ChangeOutcome, number>>
  /** One each, in their order, where they were named; none for a filter. */
  changes: DeliveryChange[]
}

/**
 * Retries deliveries, oldest first, or in the order they were named; `perSecond` of them become due each second, from
 * now (null: all at once). In transactions of some hundreds: one that is cut off has done a part, and may be repeated.
 */
export const retryMany = (options: {
  database: Database
  actor: Actor
  selection: AnySelection
  sendDeliveredAgain: boolean
  keepsSooner?: boolean
  perSecond: number | null
}): Promise<Changed> => {
  const { database, actor, sendDeliveredAgain, keepsSooner = false, perSecond } = options
  let turns = 0
  return changeMany(options, async (ids) => {
    const changes = await retryDeliveries({
      database,
      actor,
      ids,
      sendDeliveredAgain,
      keepsSooner,
      delaySeconds: perSecond === null ? 0 : turns / perSecond,
      spacingSeconds: perSecond === null ? 0 : 1 / perSecond,
    })
    turns += changes.filter(takesTurn).length
    return changes
  })
}

/** Cancels deliveries, oldest first, or in the order they were named; in transactions of some hundreds. */
export const cancelMany = (
  options: Omit<CancelOptions, 'ids'> & { selection: Selection },
): Promise<Changed> => {
  const { database, actor, reason } = options
  return changeMany(options, (ids) => cancelDeliveries({ database, actor, reason, ids }))
}

const changeMany = async (
  options: { database: Database; selection: AnySelection },
  change: (ids: readonly bigint[]) => Promise<DeliveryChange[]>,
): Promise<Changed> => {
  const all: Changed = { found: 0, changed: 0, counts: {}, changes: [] }
  for await (const ids of chunksOf(options)) {
    const changes = await change(ids)
    all.found += changes.filter(({ outcome }) => outcome !== 'not_found').length
    all.changed += changes.filter(isChange).length
    for (const { outcome } of changes) all.counts[outcome] = (all.counts[outcome] ?? 0) + 1
    if ('ids' in options.selection) all.changes.push(...changes)
  }
  return all
}

const isChange = ({ outcome }: DeliveryChange): boolean =>
  outcome === 'retried' || outcome === 'held' || outcome === 'cancelled'

const chunksOf = async function* (options: {
  database: Database
  selection: AnySelection
}): AsyncGenerator<bigint[]> {
  const { database, selection } = options
  if ('ids' in selection) yield* chunked([...new Set(selection.ids)])
  else if ('outcomes' in selection) yield* chunksOfOutcomes(database, selection)
  else for await (const ids of findFitting(database, selection.filter)) yield* chunked(ids)
}

const chunked = function* (ids: readonly bigint[]): Generator<bigint[]> {
  for (let start = 0; start < ids.length; start += CHUNK) yield ids.slice(start, start + CHUNK)
}

const chunksOfOutcomes = async function* (
  database: Database,
  { outcomes, atMost }: { outcomes: OutcomeFilter; atMost: number },
): AsyncGenerator<bigint[]> {
  // What is changed no longer fits, so the way goes on by the id, not by how many were passed.
  let after = 0n
  let left = atMost
  for (;;) {
    const ids = await findOutcomeIds({ database, filter: outcomes, after, limit: Math.min(CHUNK, left) })
    const last = ids.at(-1)
    if (last === undefined) return
    yield ids
    after = last
    left -= ids.length
  }
}
