import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/given-rows.ts'
import type { Due } from '../../queue/delivery-stream.ts'
import type { Tracing } from '../../runtime/tracing/tracing.ts'
import { outcomeOf } from '../../values/webhook-id.ts'

/** Begins the spans of deliveries that are published together, and ends them once the queue has answered. */
export type TracePublishing = () => (rows: readonly Due[], isStored: (index: number) => boolean) => void

/**
 * Where no spans are made nothing of this is. What is due does not say of which payment it is: that is asked of Postgres
 * afterwards, so that nobody waits for it and nothing else pays for it. Spans of deliveries that it does not say are left out.
 */
export const createTracePublishing =
  (options: { tracing: Tracing; database: Database; stream: string }): TracePublishing =>
  () => {
    const { tracing, database, stream } = options
    const end = tracing.begin()
    return (rows, isStored) => {
      const endedMs = performance.now()
      const record = async (): Promise<void> => {
        const payments = await findPayments(database, rows)
        for (const [index, { delivery_id, publish_number }] of rows.entries()) {
          const { payment_id, webhook_id } = payments.get(delivery_id) ?? {}
          if (payment_id === undefined || webhook_id === undefined) continue
          end(
            {
              name: `publish ${stream}`,
              kind: 'producer',
              place: tracing.placeOf(payment_id, `publish ${delivery_id} ${publish_number}`),
              parent: tracing.placeOf(payment_id, `outcome ${outcomeOf(webhook_id)}`),
              attributes: {
                'messaging.system': 'nats',
                'messaging.operation.type': 'send',
                'messaging.operation.name': 'publish',
                'messaging.destination.name': stream,
                'gateway.payment.id': Number(payment_id),
                'gateway.delivery.id': Number(delivery_id),
                'gateway.publish_number': publish_number,
                'gateway.batch.size': rows.length,
              },
              error: isStored(index) ? undefined : 'not_stored',
            },
            endedMs,
          )
        }
      }
      void record().catch(() => undefined)
    }
  }

const findPayments = async (database: Database, rows: readonly Due[]) => {
  const found = await database
    .selectFrom('deliveries')
    .select(['id', 'payment_id', 'webhook_id'])
    .where(
      'id',
      '=',
      anyOf(
        'deliveries.id',
        rows.map(({ delivery_id }) => delivery_id),
      ),
    )
    .execute()
  return new Map(found.map((row) => [row.id, row]))
}
