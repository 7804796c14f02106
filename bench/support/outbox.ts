import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { renderBody } from '../../src/core/outbox/enqueue.ts'
import { startPublishing } from '../../src/core/outbox/publish.ts'
import type { Database } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { openDeliveryQueue } from '../../src/queue/delivery-queue.ts'
import { endpointHost } from '../../src/values/endpoint.ts'
import type { DeliveryServices } from './delivery-services.ts'

/** What partners are told, as settling payments renders it. */
export const BODY = renderBody({
  id: 102n,
  partner_id: 1n,
  callback_url: '',
  msisdn: '254712345678',
  amount_kes: 150,
  merchant_request_id: '2654-4b64-97ff-b827b542881d3130',
  checkout_request_id: 'ws_CO_04052026210410237712345678',
  result_code: '0',
  result_desc: 'The service request is processed successfully.',
  receipt: 'UE4A11B2C3',
  transaction_date: new Date('2026-05-04T18:04:28Z'),
  state: 'successful',
})

/** Puts so many deliveries to one URL into the outbox, the partners in turn; their ids are `msg_<prefix>_<number>`, from 1. */
export const fillOutbox = async (
  services: DeliveryServices,
  given: { count: number; prefix: string; url: string },
): Promise<void> => {
  await ensurePartitions(services.database)
  await sql`
    WITH added AS (
      INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
      SELECT number, (${services.partnerIds}::bigint[])[1 + number % ${services.partnerIds.length}],
             'msg_' || ${given.prefix}::text || '_' || number, ${given.url}, ${endpointHost(given.url)}, ${BODY}
      FROM generate_series(1, ${given.count}) AS number
      RETURNING id, partner_id, host
    )
    INSERT INTO to_deliver (delivery_id, partner_id, host) SELECT id, partner_id, host FROM added
  `.execute(services.database)
}

/** Tells the queue of all that is in the outbox, as `serve` does; resolves when that is done. */
export const publishOutbox = async (services: DeliveryServices): Promise<void> => {
  const { database, log, natsUrl } = services
  const queue = openDeliveryQueue({ natsUrl, stream: 'deliveries', name: 'bench', log })
  const loop = startPublishing({ database, queue, log, nowMs: () => performance.now() })
  while ((await countUnpublished(database)) > 0) await pause(20)
  await loop.stop()
  await queue.close()
}

const countUnpublished = async (database: Database): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::float8 AS count FROM to_deliver WHERE publish_at <= now()
  `.execute(database)
  return rows[0]?.count ?? 0
}

/** How many deliveries are still to be made. */
export const countOpen = async (database: Database): Promise<number> => {
  const { rows } = await sql<{
    count: number
  }>`SELECT count(*)::float8 AS count FROM to_deliver`.execute(database)
  return rows[0]?.count ?? 0
}
