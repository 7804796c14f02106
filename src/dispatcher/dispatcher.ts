import type { Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import { isOutage } from '../database/outage.ts'
import type { DeliveryQueue } from '../queue/delivery-queue.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Vault } from '../runtime/seal.ts'
import { showBacklog } from './backlog.ts'
import { startConsuming } from './deliver/consume.ts'
import { createDeliverer } from './deliver/deliver.ts'
import type { Offer } from './deliver/fair-queue.ts'
import { createPoster, type PostLimits } from './deliver/post.ts'
import { scheduleAttempts } from './deliver/schedule-attempts.ts'
import { createSigner } from './deliver/sign.ts'
import { OVERDUE_MS, startRecovering } from './deliver/take-due.ts'
import { createEndpointBook } from './endpoints/endpoint-book.ts'
import { startReleasing } from './endpoints/releasing.ts'
import { createDispatcherMetrics } from './metrics.ts'
import { type AddressGuard, createAddressGuard, ownAddresses } from './network/guard-address.ts'
import { createResolver } from './network/resolve-host.ts'
import { createSignals } from './report.ts'
import { createRetryUntilStopped } from './retry-until-stopped.ts'

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
  /** Whom to ask for the addresses of endpoints; null: the machine's name servers. */
  nameServers: readonly string[] | null
  registry: Registry
  log: Log
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

/** How long `stop` waits for Postgres to take the last records, from its call, ms: longer than the longest POST. */
const GIVE_UP_MS = 20_000

/**
 * Delivers: the queue tells what is due, Postgres says whether it may be attempted and keeps what came of it. Any number of
 * dispatchers share the work.
 */
export const startDispatcher = (options: DispatcherOptions): Dispatcher => {
  const { database, queue, log } = options
  const giveUp = new AbortController()
  const defect = Promise.withResolvers<never>()
  defect.promise.catch(() => undefined)

  const poster = createPoster({ ...options, guard: options.guard ?? createGuard(options) })
  const retryUntilStopped = createRetryUntilStopped({ giveUp: giveUp.signal, log })
  const signals = createSignals(options)
  showBacklog(options.registry, database)
  const book = createEndpointBook({ ...options, retryUntilStopped, signals })
  const deliverer = createDeliverer({
    ...options,
    poster,
    sign: createSigner({ ...options, retryUntilStopped }),
    retryUntilStopped,
    metrics: createDispatcherMetrics(options.registry),
    signals,
    // After an outage that outlasted this process, others count on without this outcome.
    noteOutcome: (claim, result) => void book.note(claim, result).catch(unlessOutage(defect.reject)),
  })

  /** An outage comes through only after giving up: then the lease runs out, and nothing is lost. */
  const settle = async (work: Promise<void>): Promise<boolean> => {
    try {
      await work
      return true
    } catch (error) {
      if (isOutage(error)) log.warn({ event: 'attempt_not_recorded', err: error })
      else defect.reject(error)
      return false
    }
  }

  const turns = scheduleAttempts({
    ...options,
    retryUntilStopped,
    signals,
    settle,
    deliver: (id) => deliverer.deliverIfDue(id),
  })
  const offer = (given: Offer) => turns.offer({ ...given, end: () => undefined })
  const loops = [
    startRecovering({ ...options, ...turns, offer, overdueMs: options.overdueMs ?? OVERDUE_MS }),
    startReleasing({ ...options, offer, signals }),
  ]
  for (const loop of loops) loop.ended.catch((error: unknown) => defect.reject(error))
  const consumption = queue === null ? null : startConsuming({ ...options, queue, turns })

  const stop = async (): Promise<void> => {
    const timer = setTimeout(() => giveUp.abort(), GIVE_UP_MS)
    for (const work of turns.close()) work.end(false)
    await Promise.all([consumption?.stop(), ...loops.map((loop) => loop.stop().catch(() => undefined))])
    await turns.idle()
    await book.drained()
    clearTimeout(timer)
    await poster.close()
  }
  return { stop, failed: defect.promise }
}

const unlessOutage =
  (report: (error: unknown) => void) =>
  (error: unknown): void => {
    if (!isOutage(error)) report(error)
  }

const createGuard = (
  options: Pick<DispatcherOptions, 'allowPrivateNetworks' | 'nameServers'>,
): AddressGuard => createAddressGuard({ ...options, resolve: createResolver(options), ownAddresses })
