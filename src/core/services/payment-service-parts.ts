import type { Database } from '../../database/connect.ts'
import type { Log } from '../../runtime/log.ts'
import type { CallbackUrlPolicy } from '../../values/callback-url.ts'
import type { CoreMetrics } from '../metrics.ts'
import type { Overload } from '../overload/overload.ts'
import type { Acceptor } from '../request/accept.ts'
import type { LimitedAcceptor } from '../request/accept-limited.ts'
import type { KnownKeys } from '../request/known-keys.ts'
import type { PayerLimits } from '../request/payer-limits.ts'
import type { CoreTraces } from '../traces.ts'
import type { CallerChecks } from './caller-checks.ts'

/** What the methods of PaymentService use. */
export type PaymentServiceParts = {
  database: Database
  acceptor: Acceptor
  limitedAcceptor: LimitedAcceptor
  knownKeys: KnownKeys
  overload: Overload
  payerLimits: PayerLimits
  checks: CallerChecks
  callbackUrlPolicy: CallbackUrlPolicy
  log: Log
  metrics: CoreMetrics
  traces?: CoreTraces | undefined
  /** Called after a payment became durable: somebody may prompt its payer now. */
  onAccepted: () => void
  /** Called after deliveries became due. */
  onDeliveriesDue: () => void
}
