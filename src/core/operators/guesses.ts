import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { networkOf } from '../../values/network-of.ts'

/** Who is counted: the name that is guessed at, and the client that guesses; `free` may be wrong without a wait. */
export type Guesser = { readonly key: string; readonly free: number }

/** The longest wait, s: nobody is kept out for good. */
const LONGEST_WAIT_SECONDS = 900

/** One's own name is mistyped; behind one address may be an office. */
const FREE_OF_NAME = 5
const FREE_OF_CLIENT = 20

export const guesserByName = (name: string): Guesser => ({
  key: `name ${name.slice(0, 100)}`,
  free: FREE_OF_NAME,
})

export const guesserByAddress = (address: string): Guesser => ({
  key: `client ${networkOf(address)}`,
  free: FREE_OF_CLIENT,
})

/**
 * Counts an attempt as wrong before it is looked at, so that of many at once each counts; `forgetGuesses` takes that
 * back. Returns how long to wait, s: 0 for one that may be looked at. Each wrong one beyond the free ones doubles the
 * wait; a day without one begins anew.
 */
export const countGuess = async (database: Database, { key, free }: Guesser): Promise<number> => {
  const { rows } = await sql<{ wrong: number }>`
    INSERT INTO sign_in_guesses AS known (guesser, wrong) VALUES (${key}, 1)
    ON CONFLICT (guesser) DO UPDATE SET
      wrong = CASE WHEN known.last_at < now() - interval '1 day' THEN 1 ELSE known.wrong + 1 END,
      last_at = now(),
      wait_until = CASE
        WHEN known.last_at < now() - interval '1 day' OR known.wrong + 1 < ${free}::int THEN now()
        ELSE now() + make_interval(secs => least(${LONGEST_WAIT_SECONDS}::int, 2 ^ least(known.wrong + 1 - ${free}::int, 20)))
      END
    WHERE known.wait_until <= now()
    RETURNING known.wrong
  `.execute(database)
  if (rows.length > 0) return 0
  const waiting = await sql<{ seconds: number }>`
    SELECT greatest(1, ceil(extract(epoch FROM wait_until - now())))::int AS seconds
    FROM sign_in_guesses WHERE guesser = ${key}
  `.execute(database)
  return waiting.rows[0]?.seconds ?? 1
}

/** Whether the guesser has to wait now. */
export const isHeldOff = async (database: Database, { key }: Guesser): Promise<boolean> => {
  const row = await database
    .selectFrom('sign_in_guesses')
    .select('wrong')
    .where('guesser', '=', key)
    .where('wait_until', '>', sql<Date>`now()`)
    .executeTakeFirst()
  return row !== undefined
}

/** Who was right has never been wrong. */
export const forgetGuesses = async (database: Database, guessers: readonly Guesser[]): Promise<void> => {
  await sql`
    DELETE FROM sign_in_guesses WHERE guesser = ANY (${guessers.map(({ key }) => key)}::text[])
  `.execute(database)
}
