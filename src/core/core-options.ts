import type { Database } from '../database/connect.ts'
import type { NumberGuard, PaymentNumbers } from '../database/mark/number-guard.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WrongSecrets } from '../runtime/count-wrong-secrets.ts'
import type { Log } from '../runtime/log.ts'
import type { NoteRefused } from '../runtime/refused-callers.ts'
import type { ServeConfig } from '../runtime/serve-config.ts'
import type { Tracing } from '../runtime/tracing/tracing.ts'
import type { CallbackMetrics } from './callback/callback-metrics.ts'
import type { Spool } from './callback/spool.ts'
import type { CoreMetrics } from './metrics.ts'
import type { PublishAtOnce } from './outbox/publish.ts'
import type { Rehearsal } from './rehearsal/test-accounts.ts'

/** What the core works with; times in ms. */
export type CoreOptions = {
  config: CoreConfig
  database: Database
  log: Log
  metrics: CoreMetrics
  /** Left out: no spans are made. */
  tracing?: Tracing | undefined
  clock: Clock
  /** A monotonic time, ms. */
  nowMs: () => number
  random: () => number
  randomBytes: (count: number) => Buffer
  /** Makes the ids of callbacks. */
  newId: () => string
  /** Keeps ids of payments from being given out twice. */
  numbers: PaymentNumbers
  /** Why the database is not the one of before; null: it is. */
  readAlarm: NumberGuard['alarm']
  /** Where callbacks are durable while Postgres is away. */
  spool: Spool
  callbackMetrics: CallbackMetrics
  /** How long a callback waits for Postgres before it goes to the spool, ms. */
  callbackPatienceMs: number
  /** Counts the wrong keys and tokens that an address shows to this replica. */
  wrongSecrets: WrongSecrets
  /** Counts and reports callers that are refused. */
  noteRefused: NoteRefused
  /** How test payments go. */
  rehearsal: Rehearsal
  /** Called after deliveries were committed to the outbox. */
  onDeliveriesDue: () => void
  /** How deliveries are published that are committed as published; null where they cannot be just now. */
  publishAtOnce: () => PublishAtOnce | null
}

/** The settings of the core. */
export type CoreConfig = Pick<
  ServeConfig,
  | 'keys'
  | 'callers'
  | 'watchers'
  | 'callbackUrlPolicy'
  | 'payerLimits'
  | 'callbacks'
  | 'daraja'
  | 'submit'
  | 'reconcile'
  | 'keepDays'
  | 'signals'
> & { operations: Pick<ServeConfig['operations'], 'overdueAfterMs' | 'fourEyes'> }
