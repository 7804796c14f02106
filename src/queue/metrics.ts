import { Counter, type Registry } from 'prom-client'
import { showReading } from '../runtime/metrics.ts'
import type { KeptStream } from './keep-stream.ts'

/**
 * Why a message was not stored for certain: NATS is `away`, JetStream `refused` it (it is full, as a rule), or gave no
 * answer in time (`unanswered`).
 */
export type PublishFailure = 'away' | 'refused' | 'unanswered'

export type QueueMetrics = {
  /** Counts a message that JetStream did not say it has stored. */
  notPublished(reason: PublishFailure): void
}

type Size = { messages: number; bytes: number; maxMessages: number; maxBytes: number }

/** What is shown of NATS. It is asked for the stream's size when the metrics are read. */
export const createQueueMetrics = (registry: Registry, stream: KeptStream): QueueMetrics => {
  const failures = new Counter({
    name: 'gateway_queue_publish_failures_total',
    help: 'Messages to JetStream that were not stored for certain: NATS was away, it refused them, or did not answer',
    labelNames: ['reason'] as const,
    registers: [registry],
  })
  for (const reason of ['away', 'refused', 'unanswered']) failures.inc({ reason }, 0)
  showReading(registry, () => Promise.resolve(stream.state() === 'ok'), [
    {
      name: 'gateway_queue_up',
      help: '1 while this process is connected to NATS and has found its stream and consumer there',
      samples: (isUp) => [{ value: isUp ? 1 : 0 }],
    },
  ])
  showReading(registry, () => readSize(stream), [
    {
      name: 'gateway_queue_messages',
      help: 'Messages in the stream that no dispatcher has dealt with yet',
      samples: ({ messages }) => [{ value: messages }],
    },
    {
      name: 'gateway_queue_max_messages',
      help: 'Messages that the stream may have: then JetStream refuses more',
      samples: ({ maxMessages }) => bound(maxMessages),
    },
    {
      name: 'gateway_queue_bytes',
      help: 'Bytes that the stream takes on the disk of NATS',
      samples: ({ bytes }) => [{ value: bytes }],
    },
    {
      name: 'gateway_queue_max_bytes',
      help: 'Bytes that the stream may take: then JetStream refuses more',
      samples: ({ maxBytes }) => bound(maxBytes),
    },
  ])
  return { notPublished: (reason) => failures.inc({ reason }) }
}

/** JetStream says -1 for no bound; that has no sample. */
const bound = (value: number) => (value < 0 ? [] : [{ value }])

const readSize = async (stream: KeptStream): Promise<Size> => {
  const client = stream.jetstream()
  if (client === null) throw new Error('NATS is away')
  const { state, config } = await (await client.jetstreamManager(false)).streams.info(stream.name)
  return {
    messages: state.messages,
    bytes: state.bytes,
    maxMessages: config.max_msgs,
    maxBytes: config.max_bytes,
  }
}
