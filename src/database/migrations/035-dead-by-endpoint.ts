import { type Kysely, sql } from 'kysely'

/** What ended badly at one endpoint is counted without reading what did at others. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE INDEX dead_letters_endpoint ON dead_letters (partner_id, host, delivery_id)`.execute(
    database,
  )
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX dead_letters_endpoint`.execute(database)
}
