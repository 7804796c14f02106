import { Counter, type Registry } from 'prom-client'
import { showReading } from '../../runtime/metrics.ts'
import type { Spool } from './spool.ts'

export type CallbackMetrics = {
  /** Counts a callback that neither Postgres nor the disk took: it was answered 503 and may be lost. */
  notKept(): void
  /** Counts a callback from an address that may not call back, or one too many without a token of ours. */
  refused(options: { isKept: boolean }): void
  /** Counts what was stored of an unknown sender's body, bytes. */
  countStrangerBytes(bytes: number): void
}

/**
 * What is counted of callbacks beside `CoreMetrics`. What the spool holds is asked of its folder when the metrics are
 * read.
 */
export const createCallbackMetrics = (registry: Registry, spool: Spool): CallbackMetrics => {
  const notKept = new Counter({
    name: 'gateway_callbacks_not_kept_total',
    help: 'Callbacks answered 503, since neither Postgres nor the disk took them',
    registers: [registry],
  })
  const refused = new Counter({
    name: 'gateway_callbacks_refused_total',
    help: 'Callbacks from addresses that may not call back, or of a flood without a token of ours: were they kept?',
    labelNames: ['kept'] as const,
    registers: [registry],
  })
  for (const kept of ['yes', 'no']) refused.inc({ kept }, 0)
  const strangerBytes = new Counter({
    name: 'gateway_stranger_bytes_total',
    help: 'Bytes that were kept of the bodies of callbacks without a token of ours, from none of Daraja’s addresses',
    registers: [registry],
  })
  showReading(registry, () => spool.count(), [
    {
      name: 'gateway_spool_files_aside',
      help: 'Files of the spool that no replay could use, for an operator to look at',
      samples: ({ quarantined }) => [{ value: quarantined }],
    },
    {
      name: 'gateway_spooled_callbacks',
      help: 'Callbacks in SPOOL_DIR that are not in Postgres yet',
      samples: ({ callbacks }) => [{ value: callbacks }],
    },
  ])
  showReading(registry, () => spool.freeBytes(), [
    {
      name: 'gateway_spool_free_bytes',
      help: 'Room on the disk of SPOOL_DIR',
      samples: (bytes) => [{ value: bytes }],
    },
  ])
  return {
    notKept: () => notKept.inc(),
    countStrangerBytes: (bytes) => strangerBytes.inc(bytes),
    refused: ({ isKept }) => refused.inc({ kept: isKept ? 'yes' : 'no' }),
  }
}
