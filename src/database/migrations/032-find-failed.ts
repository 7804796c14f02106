import { type Kysely, sql } from 'kysely'

/**
 * Which payments failed is found by the deliveries that say so. Only those enter the index, once, when they are inserted,
 * and never again: none of its columns ever changes. It ends in the negative id of the payment, an order that no other
 * index has. Declared here, and built by `buildIndexes` afterwards, while others go on writing.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE INDEX deliveries_failed ON ONLY deliveries (partner_id, (-payment_id))
    WHERE right(webhook_id, 7) = '_failed'
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX deliveries_failed`.execute(database)
}
