import type { Database } from '../database/connect.ts'
import type { PaymentNumbers } from '../database/mark/number-guard.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WrongSecrets } from '../runtime/count-wrong-secrets.ts'
import type { Log } from '../runtime/log.ts'
import type { ServeConfig } from '../runtime/serve-config.ts'
import type { CallbackMetrics } from './callback/callback-metrics.ts'
import type { Spool } from './callback/spool.ts'
import type { CoreMetrics } from './metrics.ts'

/** What the core works with; times in ms. */
export type CoreOptions = {
  config: CoreConfig
  database: Database
  log: Log
  metrics: CoreMetrics
  clock: Clock
  /** A monotonic time, ms. */
  nowMs: () => number
  random: () => number
  randomBytes: (count: number) => Buffer
  /** Makes the ids of callbacks. */
  newId: () => string
  /** Keeps ids of payments from being given out twice. */
  numbers: PaymentNumbers
  /** Where callbacks are durable while Postgres is away. */
  spool: Spool
  callbackMetrics: CallbackMetrics
  /** How long a callback waits for Postgres before it goes to the spool, ms. */
  callbackPatienceMs: number
  /** Counts the wrong keys and tokens that an address shows to this replica. */
  wrongSecrets: WrongSecrets
  /** Called after deliveries were committed to the outbox. */
  onDeliveriesDue: () => void
}

/** The settings of the core. */
export type CoreConfig = Pick<
  ServeConfig,
  | 'keys'
  | 'callers'
  | 'callbackUrlPolicy'
  | 'payerLimits'
  | 'callbacks'
  | 'daraja'
  | 'submit'
  | 'reconcile'
  | 'keepDays'
>
