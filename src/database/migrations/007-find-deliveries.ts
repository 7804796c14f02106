import { type Kysely, sql } from 'kysely'

/** What it takes to find deliveries of one partner, or of one time, among all that ever were. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE INDEX deliveries_partner_id_id ON deliveries (partner_id, id)`.execute(database)
  await sql`CREATE INDEX deliveries_created_at ON deliveries USING brin (created_at)`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX deliveries_partner_id_id, deliveries_created_at`.execute(database)
}
