import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type ClientReadableStream, credentials, Client as GrpcClient, Metadata } from '@grpc/grpc-js'
import {
  WatchPaymentsRequestSchema,
  WatchPaymentsResponseSchema,
} from '../../src/gen/mpesa/gateway/v1/payment_events_pb.js'

/** How many streams go over one connection: fewer than a server takes. */
const STREAMS_A_CONNECTION = 250

/** What many watchers saw; each event by name, `payment.number`, in the order in which it came. */
export type Watchers = {
  seen(watcher: number): string[]
  /** From the instant of the newest event of a message to its arrival, ms, for a sample of the messages. */
  delaysMs: number[]
  /** The streams that have ended. */
  failed(): number
  close(): void
}

/** Opens so many streams; resolves once each has its first message. `partnerOf` says whose each is; null: everybody's. */
export const openWatchers = async (options: {
  url: string
  token: string
  count: number
  partnerOf: (watcher: number) => bigint | null
}): Promise<Watchers> => {
  const { count } = options
  const address = new URL(options.url).host
  const clients = Array.from(
    { length: Math.ceil(count / STREAMS_A_CONNECTION) },
    () =>
      new GrpcClient(address, credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
        'grpc.max_receive_message_length': -1,
      }),
  )
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${options.token}`)
  const read = createReader()
  const messages = Array.from({ length: count }, (): (readonly string[])[] => [])
  let failed = 0
  const streams: ClientReadableStream<Buffer>[] = []
  const opened = messages.map((own, watcher) => {
    const partnerId = options.partnerOf(watcher)
    const request = create(WatchPaymentsRequestSchema, partnerId === null ? {} : { partnerId })
    const client = clients[watcher % clients.length]
    const stream = client?.makeServerStreamRequest(
      '/mpesa.gateway.v1.PaymentEventService/WatchPayments',
      (message: typeof request) => Buffer.from(toBinary(WatchPaymentsRequestSchema, message)),
      (bytes: Buffer) => bytes,
      request,
      metadata,
    )
    if (stream === undefined) throw new Error('there is no connection')
    streams.push(stream)
    return new Promise<void>((resolve, reject) => {
      stream.on('data', (bytes: Buffer) => {
        own.push(read.namesIn(bytes))
        resolve()
      })
      stream.on('error', (error) => {
        failed += 1
        reject(error)
      })
    })
  })
  await Promise.all(opened)
  return {
    seen: (watcher) => messages[watcher]?.flat() ?? [],
    delaysMs: read.delaysMs,
    failed: () => failed,
    close: () => {
      for (const stream of streams) {
        stream.on('error', () => undefined)
        stream.cancel()
      }
      for (const client of clients) client.close()
    },
  }
}

/** Of how many messages the delay is taken: one. */
const SAMPLE = 50

/**
 * Reads what each distinct message says once: the watchers are to be measured, not Protobuf in their process. A message
 * ends with its cursor, and begins with its first event.
 */
const createReader = () => {
  const known = new Map<string, { names: readonly string[]; atMs: number }>()
  const delaysMs: number[] = []
  let count = 0
  const decode = (bytes: Buffer) => {
    const { events } = fromBinary(WatchPaymentsResponseSchema, bytes)
    const at = events.at(-1)?.at
    return {
      names: events.map(({ paymentId, number }) => `${paymentId}.${number}`),
      atMs: at === undefined ? 0 : Number(at.seconds) * 1000 + at.nanos / 1e6,
    }
  }
  const namesIn = (bytes: Buffer): readonly string[] => {
    const name = `${bytes.length} ${bytes.subarray(0, 40).toString('latin1')} ${bytes.subarray(-50).toString('latin1')}`
    const found = known.get(name) ?? decode(bytes)
    known.set(name, found)
    count += 1
    if (found.names.length > 0 && count % SAMPLE === 0) delaysMs.push(Date.now() - found.atMs)
    return found.names
  }
  return { namesIn, delaysMs }
}
