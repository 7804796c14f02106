import { type Kysely, sql } from 'kysely'

/**
 * By what a partner finds its payments: its own reference, and the payer's number. Both are declared here and built by
 * `buildIndexes` afterwards, while others go on writing. Bytes decide the order ("C"), so that no later version of the
 * operating system sorts them anew. They end in the negative id, the newest first, for no other index has that order:
 * Postgres is never tempted to read payments in the order of another until enough have turned up. Nor do they begin with
 * the partner: the list of a partner's payments, that of the release before too, would be read by them and sorted.
 * `metadata` is the partner's own, as it was given.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE payments ADD COLUMN metadata json`.execute(database)
  await sql`
    CREATE INDEX payments_reference_partner_id_id ON ONLY payments (reference COLLATE "C", partner_id, (-id))
    WHERE reference IS NOT NULL
  `.execute(database)
  await sql`
    CREATE INDEX payments_msisdn_partner_id_id ON ONLY payments (msisdn COLLATE "C", partner_id, (-id))
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX payments_msisdn_partner_id_id`.execute(database)
  await sql`DROP INDEX payments_reference_partner_id_id`.execute(database)
  await sql`ALTER TABLE payments DROP COLUMN metadata`.execute(database)
}
