import { Counter, type Registry } from 'prom-client'
import type { EndpointStateName } from '../database/schema/endpoints.ts'
import type { RowOf } from '../database/schema/schema.ts'
import type { Log } from '../runtime/log.ts'
import type { Endpoint } from '../values/endpoint.ts'
import type { ErrorClass } from '../values/error-class.ts'
import { isRealId, isTestId, partnerIdOf } from '../values/test-partner.ts'
import type { Claim } from './deliver/attempts.ts'
import type { Plan } from './deliver/plan.ts'

/** A change of an endpoint's state, and the delivery by which it came, where there is one. */
export type EndpointChange = Endpoint & {
  /** `untried`: closed, for there was nothing to try it with. */
  to: EndpointStateName | 'untried'
  /**
   * Why: attempts failed, time passed, an attempt arrived, more came than fits, held without need, or nothing is held
   * any more.
   */
  cause: 'failures' | 'time' | 'success' | 'flood' | 'leftover' | 'none_held'
  delivery_id?: bigint
  payment_id?: bigint
  /** For how long it is open, ms. */
  openMs?: number | null
}

/** A delivery that ended dead without an attempt. */
export type Expired = RowOf<'deliveries', 'id' | 'payment_id' | 'partner_id' | 'host' | 'dead_reason'>

export type Reporter = {
  /** Reports what a recorded attempt changed, if it changed anything: the 4th failure, death, arrival after that. */
  attempted(claim: Claim, plan: Plan, errorClass: ErrorClass | null): void
  expired(expired: Expired): void
  endpointChanged(change: EndpointChange): void
}

/** The failure with which a delivery counts as failing. */
const FAILING_AT = 4

/**
 * Reports to operators what failed and what recovered, in the log and in metrics: on a change only, and never
 * twice.
 */
export const createReporter = (options: { registry: Registry; log: Log }): Reporter => {
  const { log, registry } = options
  const deliveries = new Counter({
    name: 'gateway_delivery_signals_total',
    help: 'Deliveries that failed for the 4th time (failing), died (dead), or arrived after that (recovered)',
    labelNames: ['signal'] as const,
    registers: [registry],
  })
  const endpoints = new Counter({
    name: 'gateway_endpoint_changes_total',
    help: 'Changes of the state of an endpoint, by the state it came to',
    labelNames: ['to'] as const,
    registers: [registry],
  })

  for (const signal of Object.keys(DELIVERY_EVENTS)) deliveries.inc({ signal }, 0)
  for (const to of Object.keys(ENDPOINT_EVENTS)) endpoints.inc({ to }, 0)

  const attempted: Reporter['attempted'] = (claim, plan, errorClass) => {
    const signal = signalOf(claim, plan)
    if (signal === null) return
    if (isRealId(claim.partner_id)) deliveries.inc({ signal })
    const line = {
      ...DELIVERY_EVENTS[signal],
      ...fieldsOfDelivery(claim),
      attempt: claim.attempts,
      error_class: errorClass,
      ...(plan.kind === 'dead' && { reason: plan.reason }),
    }
    if (signal === 'recovered') log.info(line)
    else log.warn(line)
  }

  const expired: Reporter['expired'] = (one) => {
    if (isRealId(one.partner_id)) deliveries.inc({ signal: 'dead' })
    const line = {
      ...DELIVERY_EVENTS.dead,
      ...fieldsOfDelivery(one),
      attempt: null,
      error_class: null,
      reason: one.dead_reason,
    }
    log.warn(line)
  }

  const endpointChanged: Reporter['endpointChanged'] = (change) => {
    const { to, cause, openMs } = change
    if (isRealId(change.partner_id)) endpoints.inc({ to })
    const line = { ...ENDPOINT_EVENTS[to], ...fieldsOf(change), cause }
    const opened = { ...line, open_ms: Math.round(openMs ?? 0) }
    if (to === 'open') log.warn(opened)
    else log.info(line)
  }
  return { attempted, expired, endpointChanged }
}

const DELIVERY_EVENTS = {
  failing: { event: 'delivery_failing' },
  dead: { event: 'delivery_dead' },
  recovered: { event: 'delivery_recovered' },
} as const

const ENDPOINT_EVENTS: Record<EndpointChange['to'], { event: string }> = {
  open: { event: 'endpoint_opened' },
  half_open: { event: 'endpoint_half_open' },
  ramping: { event: 'endpoint_ramping' },
  closed: { event: 'endpoint_recovered' },
  untried: { event: 'endpoint_untried' },
}

const signalOf = (claim: Claim, plan: Plan): keyof typeof DELIVERY_EVENTS | null => {
  const attempts = claim.attempts - claim.schedule_from
  if (plan.kind === 'delivered') return attempts > FAILING_AT ? 'recovered' : null
  if (plan.kind === 'dead') return 'dead'
  return attempts === FAILING_AT ? 'failing' : null
}

const fieldsOfDelivery = ({
  id: delivery_id,
  payment_id,
  partner_id,
  host,
}: Pick<Claim, 'id' | 'payment_id' | 'partner_id' | 'host'>) =>
  fieldsOf({ delivery_id, payment_id, partner_id, host })

const fieldsOf = (one: Endpoint & { delivery_id?: bigint; payment_id?: bigint }) => ({
  delivery_id: one.delivery_id === undefined ? null : Number(one.delivery_id),
  payment_id: one.payment_id === undefined ? null : Number(one.payment_id),
  partner_id: Number(partnerIdOf(one.partner_id)),
  test: isTestId(one.partner_id) || undefined,
  host: one.host,
})
