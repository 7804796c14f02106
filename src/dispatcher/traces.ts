import type { EndSpan, Tracing } from '../runtime/tracing/tracing.ts'
import { isTestId, partnerIdOf } from '../values/test-partner.ts'
import { outcomeOf } from '../values/webhook-id.ts'
import type { FinishedAttempt } from './deliver/attempts.ts'
import type { DueDelivery } from './deliver/fair-queue.ts'

/** The spans of the dispatcher (docs/tracing.md). */
export type DispatcherTraces = {
  /** Of an attempt to deliver, from where its delivery is taken to its record. */
  delivering(due: DueDelivery): {
    posting(): void
    posted(): void
    ended(attempt: FinishedAttempt): void
  }
}

/** `stream`: where deliveries are published. To the partner's endpoint nothing of the trace is told. */
export const createDispatcherTraces = (
  tracing: Tracing,
  { stream }: { stream: string },
): DispatcherTraces => ({
  delivering: (due) => {
    const end = tracing.begin()
    let [endPost, postedMs]: [EndSpan, number] = [end, 0]
    return {
      posting: () => {
        endPost = tracing.begin()
      },
      posted: () => {
        postedMs = performance.now()
      },
      ended: (attempt) => {
        const { claim, result, plan } = attempt
        const { payment_id } = claim
        const place = tracing.newPlace(tracing.traceIdOf(payment_id))
        endPost(toPost(attempt, { place: tracing.newPlace(place.traceId), parent: place }), postedMs)
        const came = cameBy(tracing, { due, stream, payment_id })
        end({
          name: came.name,
          kind: came.kind,
          links: came.links,
          place,
          parent: tracing.placeOf(payment_id, `outcome ${outcomeOf(claim.webhook_id)}`),
          attributes: {
            'gateway.payment.id': Number(payment_id),
            'gateway.partner.id': Number(partnerIdOf(claim.partner_id)),
            'gateway.test': isTestId(claim.partner_id) || undefined,
            'gateway.delivery.id': Number(claim.id),
            'gateway.attempt': claim.attempts,
            'gateway.attempt.outcome': plan.kind,
            ...came.attributes,
          },
          error: result.errorClass ?? undefined,
        })
      },
    }
  },
})

/** Through the queue, or found in Postgres. */
const cameBy = (
  tracing: Tracing,
  { due, stream, payment_id }: { due: DueDelivery; stream: string; payment_id: bigint },
) => {
  const { delivery_id, publish_number } = due
  if (publish_number === undefined)
    return { name: 'deliver outcome', kind: 'internal', links: [], attributes: {} } as const
  return {
    name: `process ${stream}`,
    kind: 'consumer',
    links: [tracing.placeOf(payment_id, `publish ${delivery_id} ${publish_number}`)],
    attributes: {
      'messaging.system': 'nats',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': stream,
    },
  } as const
}

/** Of the URL the host alone, for its path can be a secret. */
const toPost = (
  { claim, result }: FinishedAttempt,
  where: { place: ReturnType<Tracing['newPlace']>; parent: ReturnType<Tracing['newPlace']> },
) =>
  ({
    ...where,
    name: 'POST',
    kind: 'client',
    attributes: {
      'http.request.method': 'POST',
      'server.address': claim.host,
      'network.peer.address': result.address ?? undefined,
      'http.response.status_code': result.status ?? undefined,
      'http.request.resend_count': claim.attempts > 1 ? claim.attempts - 1 : undefined,
    },
    error: result.errorClass ?? undefined,
  }) as const
