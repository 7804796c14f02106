import { sql } from 'kysely'
import type { Database } from './connect.ts'

/** Who was not wrong for a day begins anew. What others have in hand is left for the next time. */
export const forgetOldGuesses = async (database: Database): Promise<void> => {
  await sql`
    WITH old AS (
      SELECT guesser FROM sign_in_guesses WHERE last_at < now() - interval '1 day' FOR UPDATE SKIP LOCKED
    )
    DELETE FROM sign_in_guesses USING old WHERE sign_in_guesses.guesser = old.guesser
  `.execute(database)
}
