import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'
import { endpointHost } from '../../src/values/endpoint.ts'

/**
 * Puts a delivery for each URL into the outbox, due at once, as settling payments would; returns their ids. They are partner
 * 7's unless told otherwise; `own`: each a partner's of its own.
 */
export const addDeliveries = async (
  database: Database,
  callbackUrls: readonly string[],
  partnerId: bigint | 'own' = 7n,
): Promise<bigint[]> => {
  const { rows } = await sql<{ id: bigint }>`
    WITH added AS (
      INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
      SELECT greatest(1000, (SELECT max(payment_id) FROM deliveries)) + number, coalesce(${partnerId === 'own' ? null : partnerId}::bigint, number), 'msg_' || gen_random_uuid(), url, host, '{"transaction_id":' || number || '}'
      FROM unnest(${callbackUrls}::text[], ${callbackUrls.map(endpointHost)}::text[])
        WITH ORDINALITY AS given (url, host, number)
      RETURNING id, partner_id, host
    ), due AS (
      INSERT INTO to_deliver (delivery_id, partner_id, host) SELECT id, partner_id, host FROM added
    )
    SELECT id FROM added ORDER BY id
  `.execute(database)
  return rows.map((row) => row.id)
}

/** Puts one delivery into the outbox, due at once; returns its id. */
export const addDelivery = async (
  database: Database,
  callbackUrl: string,
  partnerId = 7n,
): Promise<bigint> => {
  const [id] = await addDeliveries(database, [callbackUrl], partnerId)
  if (id === undefined) throw new Error('nothing was added')
  return id
}

export const readDelivery = (database: Database, id: bigint) =>
  database.selectFrom('deliveries').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

export const readDuty = (database: Database, id: bigint) =>
  database.selectFrom('to_deliver').selectAll().where('delivery_id', '=', id).executeTakeFirst()

/** The attempts of a delivery, in their order. */
export const readAttempts = (database: Database, id: bigint) =>
  database.selectFrom('attempts').selectAll().where('delivery_id', '=', id).orderBy('number').execute()
