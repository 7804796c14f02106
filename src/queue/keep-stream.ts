import { setTimeout as pause } from 'node:timers/promises'
import type { JetStreamClient, NatsConnection } from 'nats'
import type { Log } from '../runtime/log.ts'
import { startLoop } from '../runtime/loop.ts'
import { connectQueue } from './connect.ts'
import { deleteDeliveryStream, ensureDeliveryStream } from './delivery-stream.ts'

export type QueueState = 'ok' | 'away'

/** A stream that is created again whenever it is found missing. */
export type KeptStream = {
  readonly name: string
  /** `ok` when there is a connection, and behind it the stream and its consumer when last seen. */
  state(): QueueState
  /** JetStream's client; null while NATS is away. */
  jetstream(): JetStreamClient | null
  /** Makes the stream and its consumer now, where they are missing. Rejects with `QueueAway` without a connection. */
  ensure(): Promise<void>
  /** Reports that the stream or its consumer may be gone: it is soon created again where it is. */
  lost(): void
  /**
   * Reports that JetStream has lost the stream's files and stores nothing in it any more: it is deleted and created
   * again.
   */
  broken(): void
  close(): Promise<void>
}

/** Thrown where something needs NATS and there is no connection. */
export class QueueAway extends Error {
  override name = 'QueueAway'
  override message = 'NATS is away'
}

/** How long JetStream may take to answer, ms. */
export const ANSWER_MS = 3_000

/** How often a stream that could not be made is tried again, ms. */
const RETRY_MS = 500

/**
 * How long to wait before making a stream that was there before, ms. nats-server 2.9 deletes a stream's files in the
 * background: one made anew at once can have its own taken away.
 */
const DELETION_MS = 250

/** Connects to NATS and returns at once; the stream is created where it is missing whenever the connection is back. */
export const keepStream = (options: {
  natsUrl: string
  stream: string
  name: string
  maxBytes: number
  replicas: number
  log: Log
}): KeptStream => {
  let isThere = false
  let isBroken = false
  let wasThere = false
  let ensuring: Promise<void> | null = null

  const lost = (): void => {
    isThere = false
    keeper.wake()
  }
  const broken = (): void => {
    isBroken = true
    options.log.error({ event: 'queue_stream_broken', stream: options.stream })
    lost()
  }
  const reportTooFew = (reason: string): void => {
    const { stream, replicas } = options
    options.log.warn({ event: 'queue_replicas_refused', stream, replicas, reason })
  }
  const { natsUrl, name, log } = options
  const connection = connectQueue({ natsUrl, name, log, onUp: lost })

  const makeStream = async (): Promise<void> => {
    const current = connection.current()
    if (current === null) throw new QueueAway()
    const manager = await current.jetstreamManager({ checkAPI: false, timeout: ANSWER_MS })
    if (isBroken) await deleteDeliveryStream(manager, options.stream)
    isBroken = false
    if (wasThere) await pause(DELETION_MS)
    const { stream, maxBytes, replicas } = options
    await ensureDeliveryStream({ manager, stream, maxBytes, replicas, onTooFewServers: reportTooFew })
    isThere = true
    wasThere = true
  }
  const ensure = (): Promise<void> => {
    ensuring ??= makeStream().finally(() => {
      ensuring = null
    })
    return ensuring
  }

  const keeper = startLoop({
    name: 'queue',
    idleMs: RETRY_MS,
    round: async () => {
      if (!isThere && connection.current() !== null) await ensure()
      return false
    },
    // NATS is never a condition to run: whatever is wrong there may be mended there.
    isOutage: () => true,
    log: options.log,
  })

  const close = async (): Promise<void> => {
    await keeper.stop()
    await connection.close()
  }
  return {
    name: options.stream,
    state: () => (isThere && connection.current() !== null ? 'ok' : 'away'),
    jetstream: clientOf(() => connection.current()),
    ensure,
    lost,
    broken,
    close,
  }
}

/** One client a connection, not one a message. */
const clientOf = (current: () => NatsConnection | null): (() => JetStreamClient | null) => {
  let known: { connection: NatsConnection; client: JetStreamClient } | null = null
  return () => {
    const connection = current()
    if (connection === null) return null
    if (known?.connection !== connection)
      known = { connection, client: connection.jetstream({ timeout: ANSWER_MS }) }
    return known.client
  }
}
