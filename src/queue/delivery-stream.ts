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
} from 'nats'
import { DeliveryDueSchema } from '../gen/mpesa/gateway/v1/delivery_due_pb.js'
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

/** The message's `Nats-Msg-Id`: JetStream swallows a repeated one, also after the first was acknowledged. */
export const messageIdOf = ({ delivery_id, publish_number }: Due): string =>
  `${delivery_id}:${publish_number}`

export const encodeDue = ({ delivery_id, publish_number, partner_id, host }: Due): Uint8Array =>
  toBinary(
    DeliveryDueSchema,
    create(DeliveryDueSchema, {
      deliveryId: delivery_id,
      publishNumber: publish_number,
      partnerId: partner_id,
      host,
    }),
  )

/** Null for bytes that are no message of ours. */
export const decodeDue = (bytes: Uint8Array): Due | null => {
  try {
    const { deliveryId, publishNumber, partnerId, host } = fromBinary(DeliveryDueSchema, bytes)
    return deliveryId > 0n
      ? { delivery_id: deliveryId, publish_number: publishNumber, partner_id: partnerId, host }
      : null
  } catch {
    return null
  }
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

/**
 * When full, publishing fails and the row stays unpublished: nothing is dropped silently. nats-server 2.9 forgets a
 * record's own overhead when it compares with `max_bytes`, stores the message and then drops the oldest; it counts
 * messages exactly, so `max_msgs` is what is reached first.
 */
const streamConfig = (options: { stream: string; maxBytes: number }): Partial<StreamConfig> => ({
  name: options.stream,
  subjects: [subjectOf(options.stream)],
  storage: StorageType.File,
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: options.maxBytes,
  max_msgs: Math.floor(options.maxBytes / BYTES_PER_MESSAGE),
  max_age: nanos(DAY_MS),
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
 * Makes the stream and its consumer where they are missing; what exists is left as an operator may have set it
 * (replicas, limits). Safe to run from several processes at once. Throws when NATS does not answer or refuses, and when
 * a stream of this name exists that was made for something else.
 */
export const ensureDeliveryStream = async (options: {
  manager: JetStreamManager
  stream: string
  maxBytes: number
}): Promise<void> => {
  const config = (await readStream(options)) ?? (await addStream(options))
  if (config !== null) refuseOtherStream(config)
  await options.manager.consumers
    .info(options.stream, CONSUMER)
    .catch(unless(CONSUMER_NOT_FOUND, () => options.manager.consumers.add(options.stream, CONSUMER_CONFIG)))
}

/** Deletes the stream with all it holds, which costs nothing but time; resolves too when there is none. */
export const deleteDeliveryStream = async (manager: JetStreamManager, stream: string): Promise<void> => {
  await manager.streams.delete(stream).catch(unless(STREAM_NOT_FOUND, () => Promise.resolve(true)))
}

const readStream = (options: { manager: JetStreamManager; stream: string }): Promise<StreamConfig | null> =>
  options.manager.streams
    .info(options.stream)
    .then((info) => info.config)
    .catch(unless(STREAM_NOT_FOUND, () => Promise.resolve(null)))

/** Resolves with null when another process was faster. */
const addStream = (options: {
  manager: JetStreamManager
  stream: string
  maxBytes: number
}): Promise<StreamConfig | null> =>
  options.manager.streams
    .add(streamConfig(options))
    .then((info) => info.config)
    .catch(unless(STREAM_NAME_IN_USE, () => Promise.resolve(null)))

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
