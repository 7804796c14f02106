import { type Kysely, sql } from 'kysely'

/** Finds the changes that wait for another operator, those that end first at the front, however many were decided. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE INDEX approvals_waiting ON approvals (expires_at) WHERE decision IS NULL`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP INDEX approvals_waiting`.execute(database)
}
