import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from 'nats'
import { type DeliveryDue, DeliveryDueSchema } from '../gen/mpesa/gateway/v1/delivery_due_pb.js'
import type { Endpoint } from '../values/endpoint.ts'

/** The durable consumer that all dispatchers share. */
export const CONSUMER = 'dispatcher'

/** The subject that a stream's messages are published to. */
export const subjectOf = (stream: string): string => `${stream}.due`

/** A delivery that is due, where it goes, and how often it was published: as its row of `to_deliver` has it. */
export type Due = Endpoint & { delivery_id: bigint; publish_number: number }

/** What the queue says is due. */
export type DueMessage = Due & {
  /**
   * Called once. True: it has been dealt with, and must not come again. False: it has not, and another dispatcher may
   * have it at once.
   */
  finish(isDone: boolean): void
}

/**
 * The `Nats-Msg-Id` of a message, by its first delivery, whose number is given once: JetStream swallows a repeated one,
 * also after the first was acknowledged.
 */
export const messageIdOf = ([{ delivery_id, publish_number }]: readonly [Due, ...Due[]]): string =>
  `${delivery_id}:${publish_number}`

/** One message of one or more deliveries. */
export const encodeDue = ([first, ...others]: readonly [Due, ...Due[]]): Uint8Array => {
  const message = toMessage(first)
  message.others = others.map(toMessage)
  return toBinary(DeliveryDueSchema, message)
}

const toMessage = ({ delivery_id, publish_number, partner_id, host }: Due): DeliveryDue =>
  create(DeliveryDueSchema, {
    deliveryId: delivery_id,
    publishNumber: publish_number,
    partnerId: partner_id,
    host,
  })

/** Empty for bytes that are no message of ours. */
export const decodeDue = (bytes: Uint8Array): Due[] => {
  try {
    const first = fromBinary(DeliveryDueSchema, bytes)
    return [first, ...first.others].map(toDue).filter(({ delivery_id }) => delivery_id > 0n)
  } catch {
    return []
  }
}

const toDue = ({ deliveryId, publishNumber, partnerId, host }: DeliveryDue): Due => ({
  delivery_id: deliveryId,
  publish_number: publishNumber,
  partner_id: partnerId,
  host,
})

/** A message with its header must stay within `BYTES_PER_MESSAGE`, unless one delivery alone is longer. */
const BYTES_TOGETHER = 384

/** What a delivery takes in a message beside its host: three numbers, each with its field's number, and two lengths. */
const BYTES_OF_NUMBERS = 28

/** Puts deliveries that became due together into messages, in their order. */
export const inMessages = (dues: readonly Due[]): [Due, ...Due[]][] => {
  const messages: [Due, ...Due[]][] = []
  let bytes = 0
  for (const due of dues) {
    const last = messages.at(-1)
    bytes += BYTES_OF_NUMBERS + due.host.length
    if (last !== undefined && bytes <= BYTES_TOGETHER) last.push(due)
    else {
      messages.push([due])
      bytes = BYTES_OF_NUMBERS + due.host.length
    }
  }
  return messages
}

/**
 * What the stream may take on disk unless another limit is given: half a million messages. A full stream loses nothing.
 */
export const DEFAULT_MAX_BYTES = 256 * 1024 * 1024

/** More than one message takes on disk, with its header, the longest subject and the longest name of a host. */
const BYTES_PER_MESSAGE = 512

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** JetStream's `err_code`s (nats-server, `server/errors.json`). */
const STREAM_NOT_FOUND = 10_059
const STREAM_NAME_IN_USE = 10_058
const CONSUMER_NOT_FOUND = 10_014

type StreamOptions = {
  manager: JetStreamManager
  stream: string
  maxBytes: number
  /** How many servers of the cluster keep it at least. */
  replicas: number
}

type EnsureOptions = StreamOptions & { onTooFewServers: (reason: string) => void }

/**
 * When full, publishing fails and the row stays unpublished: nothing is dropped silently. nats-server 2.9 forgets a
 * record's own overhead when it compares with `max_bytes`, stores the message and then drops the oldest; it counts
 * messages exactly, so `max_msgs` is what is reached first.
 */
const streamConfig = (options: StreamOptions): Partial<StreamConfig> => ({
  name: options.stream,
  subjects: [subjectOf(options.stream)],
  storage: StorageType.File,
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: options.maxBytes,
  max_msgs: Math.floor(options.maxBytes / BYTES_PER_MESSAGE),
  max_age: nanos(DAY_MS),
  num_replicas: options.replicas,
  duplicate_window: nanos(2 * MINUTE_MS),
})

/**
 * `ack_wait` is above the longest POST and its recording, else a second copy runs beside the first. No `backoff`, for
 * it overrides `ack_wait`; no `max_deliver`, after which a message just stays.
 */
const CONSUMER_CONFIG: Partial<ConsumerConfig> = {
  durable_name: CONSUMER,
  deliver_policy: DeliverPolicy.All,
  ack_policy: AckPolicy.Explicit,
  ack_wait: nanos(MINUTE_MS),
  max_deliver: -1,
  max_ack_pending: 100_000,
}

/**
 * Makes the stream and its consumer where they are missing; what exists is left as an operator may have set it, but for
 * a stream that fewer servers keep than are asked for: it gets more, and where the cluster has too few it stays as it is
 * and `onTooFewServers` is called with what NATS says. It never gets fewer: processes that are still to be restarted with
 * another setting would take from it what others gave. Safe to run from several processes at once. Throws when NATS
 * does not answer or refuses, and when a stream of this name exists that was made for something else.
 */
export const ensureDeliveryStream = async (options: EnsureOptions): Promise<void> => {
  const info = (await readStream(options)) ?? (await addStream(options))
  if (info !== null) {
    refuseOtherStream(info.config)
    if (info.config.num_replicas < options.replicas) await addReplicas(options, info)
  }
  await options.manager.consumers
    .info(options.stream, CONSUMER)
    .catch(unless(CONSUMER_NOT_FOUND, () => options.manager.consumers.add(options.stream, CONSUMER_CONFIG)))
}

/** Deletes the stream with all it holds, which costs nothing but time; resolves too when there is none. */
export const deleteDeliveryStream = async (manager: JetStreamManager, stream: string): Promise<void> => {
  await manager.streams.delete(stream).catch(unless(STREAM_NOT_FOUND, () => Promise.resolve(true)))
}

const readStream = ({ manager, stream }: StreamOptions): Promise<StreamInfo | null> =>
  manager.streams.info(stream).catch(unless(STREAM_NOT_FOUND, () => Promise.resolve(null)))

/** Resolves with null when another process was faster. */
const addStream = (options: StreamOptions): Promise<StreamInfo | null> =>
  options.manager.streams
    .add(streamConfig(options))
    .catch(unless(STREAM_NAME_IN_USE, () => Promise.resolve(null)))

const addReplicas = async (options: EnsureOptions, { cluster }: StreamInfo): Promise<void> => {
  // nats-server 2.9 writes any number down, and keeps the stream alone.
  if (cluster === undefined) return options.onTooFewServers('this NATS is one server, not a cluster')
  try {
    // The client reads the stream's settings, and writes them back with the one that is given.
    await options.manager.streams.update(options.stream, { num_replicas: options.replicas })
  } catch (error) {
    if (!(error instanceof NatsError) || error.api_error === undefined) throw error
    options.onTooFewServers(error.api_error.description)
  }
}

const refuseOtherStream = (config: StreamConfig): void => {
  const isOurs =
    config.retention === RetentionPolicy.Workqueue &&
    config.discard === DiscardPolicy.New &&
    config.subjects.includes(subjectOf(config.name))
  if (isOurs) return
  throw new Error(
    `the stream ${config.name} exists with other settings: name another in NATS_STREAM, or delete it`,
  )
}

const unless =
  <Value>(code: number, instead: () => Promise<Value>) =>
  (error: unknown): Promise<Value> => {
    if (error instanceof NatsError && error.api_error?.err_code === code) return instead()
    throw error
  }
