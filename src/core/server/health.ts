import { on, setMaxListeners } from 'node:events'
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect'
import {
  type Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from '../../gen/health/v1/health_pb.js'
import { truncateText } from '../../values/outside-text.ts'

/** Characters of a service's name that are said back, at most: clients refuse longer headers. */
const LONGEST_NAME = 100

/**
 * The health of each service by its full name, and of the whole process by the empty name, as `grpc.health.v1` tells it
 * to load balancers: by Check, List and Watch.
 */
export type Health = {
  /** Says whether a service serves; whoever watches it hears of a change. */
  set(service: string, isServing: boolean): void
  /** Ends all that watch: their callers look for another process. */
  endWatches(): void
  readonly service: ServiceImpl<typeof HealthService>
}

/**
 * Makes the health of `services`, none of which serves yet. One implementation for every listener: the package
 * `grpc-health-check` knows native gRPC only, cannot end its watches, and takes 50 ms of CPU to load.
 */
export const createHealth = (services: readonly string[]): Health => {
  const serving = new Map(['', ...services].map((service) => [service, false]))
  const changes = new EventTarget()
  // Each connection of a client may watch; Node would warn of a leak from the eleventh on.
  setMaxListeners(0, changes)
  const closing = new AbortController()
  return {
    set: (service, isServing) => {
      if (serving.get(service) === isServing) return
      serving.set(service, isServing)
      changes.dispatchEvent(new Event('change'))
    },
    endWatches: () => closing.abort(new ConnectError('the process is stopping', Code.Unavailable)),
    service: {
      check: ({ service }) => {
        if (!serving.has(service)) {
          const name = truncateText(service, LONGEST_NAME)
          throw new ConnectError(`there is no service ${name}`, Code.NotFound)
        }
        return { status: statusOf(serving, service) }
      },
      list: () => ({
        statuses: Object.fromEntries(
          [...serving.keys()].map((service) => [service, { status: statusOf(serving, service) }]),
        ),
      }),
      watch: ({ service }, { signal }) => {
        const read = (): Status => statusOf(serving, service)
        return watch({ read, changes, signal: AbortSignal.any([signal, closing.signal]) })
      },
    },
  }
}

const statusOf = (serving: ReadonlyMap<string, boolean>, service: string): Status => {
  const isServing = serving.get(service)
  if (isServing === undefined) return Status.SERVICE_UNKNOWN
  return isServing ? Status.SERVING : Status.NOT_SERVING
}

/** The status now, and each other one from then on, until `signal`; throws its reason then. */
async function* watch(options: {
  read: () => Status
  changes: EventTarget
  signal: AbortSignal
}): AsyncGenerator<{ status: Status }> {
  const { read, changes, signal } = options
  let last = read()
  try {
    const news = on(changes, 'change', { signal })
    yield { status: last }
    for await (const _change of news) {
      if (read() === last) continue
      last = read()
      yield { status: last }
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  }
}
