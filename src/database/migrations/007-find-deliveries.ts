import { type Kysely, sql } from 'kysely'

/**
 * What it takes to look after deliveries: to find those of one partner, or of one time, among all that ever were; and
 * to know from when one may wait for its endpoint, that an operator sent again or whose endpoint an operator resumed.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE INDEX deliveries_partner_id_id ON deliveries (partner_id, id)`.execute(database)
  await sql`CREATE INDEX deliveries_created_at ON deliveries USING brin (created_at)`.execute(database)
  await sql`ALTER TABLE deliveries ADD COLUMN retried_at timestamptz`.execute(database)
  await sql`ALTER TABLE endpoints ADD COLUMN resumed_at timestamptz`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE endpoints DROP COLUMN resumed_at`.execute(database)
  await sql`ALTER TABLE deliveries DROP COLUMN retried_at`.execute(database)
  await sql`DROP INDEX deliveries_partner_id_id, deliveries_created_at`.execute(database)
}
