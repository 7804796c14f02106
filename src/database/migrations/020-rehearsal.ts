import { type Kysely, sql } from 'kysely'

/**
 * A test payment has the negative id of its partner, and goes through the account of the same number, which is none at
 * Daraja: no row says otherwise, whichever release writes it. Rows that are there are real ones, and are not looked at.
 *
 * Of an account that Daraja turned away: since when, in a row.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE payments ADD CONSTRAINT payments_test_account
    CHECK (CASE WHEN partner_id < 0 THEN account_id = partner_id ELSE account_id >= 0 END) NOT VALID
  `.execute(database)
  await sql`ALTER TABLE daraja_accounts ADD COLUMN held_since timestamptz`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE daraja_accounts DROP COLUMN held_since`.execute(database)
  await sql`ALTER TABLE payments DROP CONSTRAINT payments_test_account`.execute(database)
}
