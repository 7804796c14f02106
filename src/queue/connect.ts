import { setTimeout as pause } from 'node:timers/promises'
import { type ConnectionOptions, connect, Events, type NatsConnection } from 'nats'
import type { Log } from '../runtime/log.ts'

/** A connection to NATS that comes back by itself, for as long as it is wanted. */
export type QueueConnection = {
  /** The connection while it is up; null while NATS is away. */
  current(): NatsConnection | null
  /** Ends it, sending first what still waits to be sent. */
  close(): Promise<void>
}

/** How long to wait before connecting again, ms; the client adds up to as much again. */
const RECONNECT_MS = 250

/** How long `close` waits for a server that does not take what waits to be sent, ms. */
const DRAIN_MS = 2_000

/**
 * Begins to connect to NATS and returns at once: the queue is the fast way, never a condition to start or to run. Tries
 * for ever, also when no server answers yet and after the server refused us. `onUp` is called whenever the connection
 * is there again. Says in the log when it is lost and when it is back. Credentials in the URL are used, and never
 * logged.
 */
export const connectQueue = (options: {
  natsUrl: string
  name: string
  log: Log
  onUp: () => void
}): QueueConnection => {
  const closing = new AbortController()
  let connection: NatsConnection | null = null
  let isUp: boolean | null = null

  const report = (up: boolean, reason?: string): void => {
    if (up === isUp || closing.signal.aborted) return
    isUp = up
    if (up) options.log.info({ event: 'queue_connected' })
    else options.log.warn({ event: 'queue_away', reason })
    if (up) options.onUp()
  }

  const follow = async (followed: NatsConnection): Promise<void> => {
    for await (const status of followed.status()) {
      if (status.type === Events.Disconnect) report(false, 'the connection was lost')
      if (status.type === Events.Reconnect) report(true)
    }
  }

  const hold = async (): Promise<void> => {
    connection = await connect(connectionOptions(options))
    // `close` may have been called while the connection was made.
    if (closing.signal.aborted) return connection.close()
    report(true)
    void follow(connection)
    await connection.closed()
    report(false, 'the server ended the connection')
  }

  const keep = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await hold().catch((error: unknown) =>
        report(false, error instanceof Error ? error.message : 'unknown'),
      )
      await pause(RECONNECT_MS, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  const kept = keep()
  const close = async (): Promise<void> => {
    closing.abort()
    if (isUp === true && connection !== null)
      await Promise.race([
        connection.drain().catch(() => undefined),
        pause(DRAIN_MS, undefined, { ref: false }),
      ])
    await connection?.close()
    await kept
  }
  return { current: () => (isUp === true ? connection : null), close }
}

/** How every connection to NATS is made. `natsUrl`: one URL or several with commas; the first has the credentials. */
export const connectionOptions = (options: { natsUrl: string; name: string }): ConnectionOptions => {
  const [url, ...others] = options.natsUrl.split(',').map((one) => new URL(one))
  if (url === undefined) throw new Error('there is no URL of NATS')
  const user = decodeURIComponent(url.username)
  const password = decodeURIComponent(url.password)
  return {
    // The client begins with any, so that processes spread over them, and goes on to the next where one is away.
    servers: [url, ...others].map(({ host }) => host),
    name: options.name,
    ...(url.protocol === 'tls:' && { tls: {} }),
    // NATS reads a URL with a user name alone as one with a token.
    ...(user !== '' && (password === '' ? { token: user } : { user, pass: password })),
    timeout: 3_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    pingInterval: 5_000,
    // They make an error object for each request, which costs more than the request.
    noAsyncTraces: true,
  }
}
