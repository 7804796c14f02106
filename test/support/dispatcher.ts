import { sql } from 'kysely'
import { connect, type JetStreamManager } from 'nats'
import { Registry } from 'prom-client'
import { startPublishing } from '../../src/core/outbox/publish.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { type Dispatcher, type DispatcherOptions, startDispatcher } from '../../src/dispatcher/dispatcher.ts'
import { type DeliveryQueue, openDeliveryQueue } from '../../src/queue/delivery-queue.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { quietLog } from './quiet-log.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { createTestStream, type TestStream } from './streams.ts'
import { testVault } from './vault.ts'

/** Everything after the outbox, on a database and a stream of its own, with a receiver to deliver to. */
export type Harness = {
  database: Database
  stream: TestStream
  receiver: Receiver
  /** The log lines of the dispatchers. */
  lines: Record<string, unknown>[]
  openQueue(natsUrl?: string): DeliveryQueue
  /** To look at the stream from outside. */
  natsManager(): Promise<JetStreamManager>
  /** Starts what `serve` does: outbox to queue. */
  publish(queue: DeliveryQueue): void
  dispatch(given?: Partial<DispatcherOptions>): Dispatcher
  /** Stops a dispatcher now; the others stop at the end. */
  stop(): Promise<void>
}

/** Short steps, so that a whole life of a delivery passes in a second. */
export const SCHEDULE_MS = [0, 50, 100]

/** A connection tells Postgres later that it has emptied tables: what was counted of their rows until then is forgotten. */
const empty = (database: Database): Promise<void> =>
  database.transaction().execute(async (transaction) => {
    await sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(transaction)
    await sql`SELECT pg_stat_force_next_flush()`.execute(transaction)
  })

/** The database is the test file's own; what another test left in it is deleted. `settings` are for its connections. */
export const startHarness = async (
  databaseUrl: string,
  settings: Record<string, string> = {},
): Promise<Harness> => {
  const database = connectDatabase({ databaseUrl, poolSize: 8, log: quietLog, settings })
  await empty(database)
  const stream = createTestStream()
  const receiver = await startReceiver()
  const lines: Record<string, unknown>[] = []
  const log = createLog({
    name: 'test',
    level: 'info',
    to: { write: (line) => lines.push(JSON.parse(line)) },
  })
  const cleanUp: (() => Promise<unknown>)[] = [
    () => database.destroy(),
    () => receiver.close(),
    () => stream.delete(),
  ]

  const openQueue = (natsUrl = stream.natsUrl): DeliveryQueue => {
    const queue = openDeliveryQueue({ natsUrl, stream: stream.name, name: 'test', log: quietLog })
    cleanUp.push(() => queue.close())
    return queue
  }
  const natsManager = async (): Promise<JetStreamManager> => {
    const connection = await connect({ servers: stream.natsUrl })
    cleanUp.push(() => connection.close())
    return connection.jetstreamManager()
  }
  const publish = (queue: DeliveryQueue): void => {
    const loop = startPublishing({ database, queue, log: quietLog, nowMs: () => performance.now() })
    cleanUp.push(() => loop.stop())
  }
  const dispatch = (given: Partial<DispatcherOptions> = {}): Dispatcher => {
    const dispatcher = startDispatcher({
      database,
      queue: null,
      scheduleMs: SCHEDULE_MS,
      concurrency: 16,
      endpointConcurrency: 16,
      allowPrivateNetworks: true,
      nameServers: null,
      vault: testVault,
      registry: new Registry(),
      log,
      clock: systemClock,
      nowMs: () => performance.now(),
      random: () => 0,
      ...given,
    })
    cleanUp.push(() => dispatcher.stop())
    return dispatcher
  }
  const stop = async (): Promise<void> => {
    for (const step of cleanUp.splice(0).toReversed()) await step()
  }
  return { database, stream, receiver, lines, openQueue, natsManager, publish, dispatch, stop }
}
