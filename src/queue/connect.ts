import { connect, Events, type NatsConnection } from 'nats'
import type { Log } from '../runtime/log.ts'

/**
 * Connects to NATS and keeps reconnecting for ever, also when no server answers yet: the queue is the fast way, never a
 * condition to run. Says in the log when the connection is lost and when it is back. Credentials in the URL are used, and
 * never logged.
 */
export const connectQueue = async (options: {
  natsUrl: string
  name: string
  log: Log
}): Promise<NatsConnection> => {
  const url = new URL(options.natsUrl)
  const connection = await connect({
    servers: `${url.protocol}//${url.host}`,
    name: options.name,
    ...(url.username !== '' && {
      user: decodeURIComponent(url.username),
      pass: decodeURIComponent(url.password),
    }),
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 5_000,
  })
  void tellStatus(connection, options.log)
  return connection
}

const tellStatus = async (connection: NatsConnection, log: Log): Promise<void> => {
  for await (const status of connection.status()) {
    if (status.type === Events.Disconnect) log.warn({ event: 'queue_disconnected' })
    if (status.type === Events.Reconnect) log.info({ event: 'queue_reconnected' })
  }
}
