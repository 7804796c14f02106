import { Counter, type Registry } from 'prom-client'
import type { EndpointStateName } from '../database/schema/endpoints.ts'
import type { Log } from '../runtime/log.ts'
import type { Endpoint } from '../values/endpoint.ts'
import type { Claim } from './deliver/claim.ts'
import type { Plan } from './deliver/plan.ts'
import type { ErrorClass } from './network/classify-error.ts'

/** A change of an endpoint's state, and the delivery by which it came, where there is one. */
export type EndpointChange = Endpoint & {
  /** `untried`: closed, for there was nothing to try it with. */
  to: EndpointStateName | 'untried'
  /** Why: attempts failed, time passed, an attempt arrived, more came than fits, held without need, or nothing is held any more. */
  cause: 'failures' | 'time' | 'success' | 'flood' | 'leftover' | 'none_held'
  deliveryId: bigint | null
  paymentId: bigint | null
  /** For how long it is open, ms. */
  openMs: number | null
}

/** What a change has that came by no delivery in particular. */
export const NO_DELIVERY = { deliveryId: null, paymentId: null, openMs: null }

/** A delivery that ended dead without an attempt. */
export type Expired = Endpoint & { deliveryId: bigint; paymentId: bigint; reason: string }

export type Signals = {
  /** Tells what a recorded attempt changed, if it changed anything: the 4th failure, death, arrival after that. */
  attempted(claim: Claim, plan: Plan, errorClass: ErrorClass | null): void
  expired(expired: Expired): void
  endpoint(change: EndpointChange): void
}

/** The failure with which a delivery counts as failing. */
const FAILING_AT = 4

/** Tells operators of what went wrong and came right, in the log and in metrics: on a change only, and never twice. */
export const createSignals = (options: { registry: Registry; log: Log }): Signals => {
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

  const attempted: Signals['attempted'] = (claim, plan, errorClass) => {
    const named = { ...namesOf(claim), attempt: claim.attempt, error_class: errorClass }
    const failures = claim.attempt - claim.scheduleFrom
    if (plan.kind === 'delivered' && failures > FAILING_AT) {
      deliveries.inc({ signal: 'recovered' })
      log.info({ event: 'delivery_recovered', ...named })
    } else if (plan.kind === 'dead') {
      deliveries.inc({ signal: 'dead' })
      log.warn({ event: 'delivery_dead', ...named, reason: plan.reason })
    } else if (plan.kind === 'retry' && failures === FAILING_AT) {
      deliveries.inc({ signal: 'failing' })
      log.warn({ event: 'delivery_failing', ...named })
    }
  }

  const expired: Signals['expired'] = (one) => {
    deliveries.inc({ signal: 'dead' })
    log.warn({
      event: 'delivery_dead',
      ...namesOf(one),
      attempt: null,
      error_class: null,
      reason: one.reason,
    })
  }

  const endpoint: Signals['endpoint'] = (change) => {
    endpoints.inc({ to: change.to })
    const named = { ...namesOf(change), cause: change.cause }
    switch (change.to) {
      case 'open':
        return log.warn({ event: 'endpoint_opened', ...named, open_ms: Math.round(change.openMs ?? 0) })
      case 'half_open':
        return log.info({ event: 'endpoint_half_open', ...named })
      case 'ramping':
        return log.info({ event: 'endpoint_ramping', ...named })
      case 'closed':
        return log.info({ event: 'endpoint_recovered', ...named })
      case 'untried':
        return log.info({ event: 'endpoint_untried', ...named })
      default:
        return change.to satisfies never
    }
  }
  return { attempted, expired, endpoint }
}

const namesOf = (one: Endpoint & { deliveryId: bigint | null; paymentId: bigint | null }) => ({
  delivery_id: one.deliveryId === null ? null : Number(one.deliveryId),
  payment_id: one.paymentId === null ? null : Number(one.paymentId),
  partner_id: Number(one.partnerId),
  host: one.host,
})
