import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { ReceivedCallback } from './callback.ts'
import { renderHeaders, toStorable } from './storable.ts'

/**
 * Stores strangers' callbacks in one commit, in a table of their own: `callbacks` is forgotten by the month, and what anybody
 * can write must not lie there as long as what Daraja sent. One that is stored already, by its id, changes nothing.
 */
export const insertStrangers = async (
  database: Database,
  strangers: readonly ReceivedCallback[],
): Promise<void> => {
  crashPoint('strangers.before_commit', strangers.length)
  await sql`
    INSERT INTO stranger_callbacks (id, received_at, is_refused, source_address, headers, body, body_bytes)
    SELECT * FROM unnest(
      ${strangers.map((one) => one.id)}::uuid[],
      ${strangers.map((one) => one.receivedAt.toISOString())}::timestamptz[],
      ${strangers.map((one) => one.isRefused)}::boolean[],
      ${strangers.map((one) => toStorable(one.sourceAddress))}::text[],
      ${strangers.map((one) => JSON.stringify(renderHeaders(one)))}::json[],
      ${strangers.map((one) => Buffer.from(one.body))}::bytea[],
      ${strangers.map((one) => one.strangerBodyBytes)}::integer[]
    )
    ON CONFLICT (id) DO NOTHING
  `.execute(database)
  crashPoint('strangers.after_commit', strangers.length)
}
