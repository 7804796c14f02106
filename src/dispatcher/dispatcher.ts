import type { Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import { isOutage } from '../database/outage.ts'
import type { DeliveryQueue } from '../queue/delivery-queue.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Vault } from '../runtime/seal.ts'
import { showBacklog } from './backlog.ts'
import { createDeliver } from './deliver/deliver.ts'
import { createFairQueue, type DueDelivery } from './deliver/fair-queue.ts'
import { createPoster, type PostLimits } from './deliver/post.ts'
import { startRecovering } from './deliver/recover.ts'
import { createSigner } from './deliver/sign.ts'
import { createWays, type Sink, type Ways } from './deliver/sink.ts'
import { createHold } from './endpoints/hold-flood.ts'
import { createOutcomeRecorder } from './endpoints/record-outcomes.ts'
import { startReleasing } from './endpoints/release.ts'
import { createDispatcherMetrics } from './metrics.ts'
import { type AddressGuard, createAddressGuard, createOwnAddresses } from './network/guard-address.ts'
import { createResolver } from './network/resolve-host.ts'
import { createReporter } from './report.ts'
import { createRetryUntilStopped, type RetryUntilStopped } from './retry-until-stopped.ts'
import { showSignals } from './show-signals.ts'
import type { DispatcherTraces } from './traces.ts'

export type DispatcherOptions = {
  database: Database
  /** Null where there is no NATS: Postgres alone carries it. */
  queue: DeliveryQueue | null
  /** The pause before each attempt, ms. */
  scheduleMs: readonly number[]
  /** Attempts under way at once. */
  concurrency: number
  /** And for one endpoint at most. */
  endpointConcurrency: number
  allowPrivateNetworks: boolean
  /** Opens the partners' signing secrets. */
  vault: Vault
  /** Where signals to operators go; null or undefined: not from here. */
  sink?: Sink | null
  /** Whom to ask for the addresses of endpoints; null: the machine's name servers. */
  nameServers: readonly string[] | null
  registry: Registry
  log: Log
  /** Left out: no spans are made. */
  traces?: DispatcherTraces | undefined
  clock: Clock
  nowMs: () => number
  random: () => number
  limits?: PostLimits
  /** Stands in for the guard of `allowPrivateNetworks` and `nameServers`. */
  guard?: AddressGuard
  /** How long something may be due while the queue is up before it counts as lost by it, ms. */
  overdueMs?: number
}

export type Dispatcher = {
  /** Takes nothing new, finishes and records what is under way; resolves when that is done. */
  stop(): Promise<void>
  /** Rejects with the first defect: its owner ends the process. Never resolves. */
  readonly failed: Promise<never>
}

/** Messages that wait in this process before they are added: another dispatcher may be idle. */
const MAX_PREFETCH = 64

/** How long `stop` waits for Postgres to take the last records, from its call, ms: longer than the longest POST. */
const GIVE_UP_MS = 20_000

/**
 * Delivers: the queue says what is due, Postgres whether it may be attempted and keeps what came of it. Any number of
 * dispatchers share the work.
 */
export const startDispatcher = (options: DispatcherOptions): Dispatcher => {
  const { database, queue, scheduleMs, concurrency, registry, log, nowMs, random } = options
  const [giveUp, defect] = [new AbortController(), Promise.withResolvers<never>()]
  defect.promise.catch(() => undefined)

  const retryUntilStopped = createRetryUntilStopped({ giveUp: giveUp.signal, log })
  const reporter = createReporter({ registry, log })
  showBacklog(registry, database)
  if (options.sink) showSignals(registry, database)
  const ways = openWays(options, retryUntilStopped)
  const outcomes = createOutcomeRecorder({ database, retryUntilStopped, scheduleMs, random, reporter })
  const deliver = createDeliver({
    database,
    wayOf: ways.wayOf,
    retryUntilStopped,
    scheduleMs,
    random,
    metrics: createDispatcherMetrics(registry),
    reporter,
    traces: options.traces,
    recordOutcome: (claim, result) => {
      // After an outage that lasted longer than this process, the other dispatchers go on without this outcome.
      outcomes.record(claim, result).catch((error: unknown) => {
        if (!isOutage(error)) defect.reject(error)
      })
    },
    log,
  })
  const hold = createHold({ database, retryUntilStopped, reporter })

  /** An outage comes through only after giving up: then the lease runs out, and nothing is lost. */
  const finish = async (due: DueDelivery, work: Promise<void>): Promise<void> => {
    let isDone = false
    try {
      await work
      isDone = true
    } catch (error) {
      if (isOutage(error)) log.warn({ event: 'attempt_not_recorded', err: error })
      else defect.reject(error)
    }
    due.finish?.(isDone)
  }
  const fairQueue = createFairQueue({
    concurrency,
    endpointConcurrency: options.endpointConcurrency,
    nowMs,
    start: (due) => finish(due, deliver(due)),
    hold: async (given) => {
      await Promise.all(given.map((due) => finish(due, hold(due.delivery_id))))
    },
  })

  const loops = [
    startRecovering({ database, queue, fairQueue, overdueMs: options.overdueMs, nowMs, log }),
    startReleasing({ database, fairQueue, reporter, nowMs, log }),
  ]
  for (const loop of loops) loop.ended.catch((error: unknown) => defect.reject(error))
  const prefetch = Math.min(concurrency, MAX_PREFETCH)
  const consumption = queue?.consume({ prefetch, onMessage: (message) => fairQueue.takeOver(message) })

  const stop = async (): Promise<void> => {
    const timer = setTimeout(() => giveUp.abort(), GIVE_UP_MS)
    for (const due of fairQueue.close()) due.finish?.(false)
    await Promise.all([consumption?.stop(), ...loops.map((loop) => loop.stop().catch(() => undefined))])
    await fairQueue.idle()
    await outcomes.drained()
    clearTimeout(timer)
    await ways.close()
  }
  return { stop, failed: defect.promise }
}

const openWays = (options: DispatcherOptions, retryUntilStopped: RetryUntilStopped): Ways => {
  const { database, vault, nameServers, limits, clock, nowMs, log } = options
  const guard = options.guard ?? createGuard(options)
  return createWays({
    sign: createSigner({ database, vault, retryUntilStopped, nowMs, log }),
    poster: createPoster({ guard, limits, clock, nowMs }),
    sink: options.sink ?? null,
    nameServers,
    limits,
    clock,
    nowMs,
  })
}

const createGuard = ({ allowPrivateNetworks, nameServers, nowMs }: DispatcherOptions): AddressGuard =>
  createAddressGuard({
    allowPrivateNetworks,
    resolve: createResolver({ allowPrivateNetworks, nameServers }),
    ownAddresses: createOwnAddresses(nowMs),
  })
