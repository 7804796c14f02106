import { type Kysely, sql } from 'kysely'

/**
 * The index of a partner's duties counts only for statements that say `partner_id <> 0`, as those do that list them.
 * Else Postgres, for which a table of duties is empty, takes it as well as the primary key to look up deliveries by
 * their id, and then reads all of it.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX to_deliver_partner_id`.execute(database)
  await sql`
    CREATE INDEX to_deliver_partner_id ON to_deliver (partner_id, delivery_id) WHERE partner_id <> 0
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX to_deliver_partner_id`.execute(database)
  await sql`CREATE INDEX to_deliver_partner_id ON to_deliver (partner_id, delivery_id)`.execute(database)
}
