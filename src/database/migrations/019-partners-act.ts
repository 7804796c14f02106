import { type Kysely, sql } from 'kysely'

/**
 * Partners are in the audit log too: they send outcomes again and cancel payments. The code says which kinds of actors
 * there are; a check that names one more would be a check that the release before does not know.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE audit DROP CONSTRAINT audit_actor_kind_check`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE audit ADD CONSTRAINT audit_actor_kind_check CHECK (actor_kind IN ('operator', 'service')) NOT VALID
  `.execute(database)
}
