import { type Kysely, sql } from 'kysely'

/** Who may use the console, where they are signed in, and how often somebody guessed. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE operators (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      name text NOT NULL UNIQUE,
      role text NOT NULL CHECK (role IN ('look', 'mend', 'money')),
      password_hash text,
      created_at timestamptz NOT NULL DEFAULT now(),
      disabled_at timestamptz
    )
  `.execute(database)
  await sql`
    CREATE TABLE operator_sessions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      operator_id bigint NOT NULL REFERENCES operators,
      token_hash bytea NOT NULL UNIQUE,
      address text NOT NULL,
      browser text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      used_at timestamptz NOT NULL DEFAULT now()
    )
  `.execute(database)
  await sql`CREATE INDEX operator_sessions_operator_id ON operator_sessions (operator_id)`.execute(database)
  await sql`
    CREATE TABLE operator_links (
      code_hash bytea PRIMARY KEY,
      operator_id bigint NOT NULL REFERENCES operators,
      expires_at timestamptz NOT NULL
    )
  `.execute(database)
  await sql`
    CREATE TABLE sign_in_guesses (
      guesser text PRIMARY KEY,
      wrong integer NOT NULL,
      last_at timestamptz NOT NULL DEFAULT now(),
      wait_until timestamptz NOT NULL DEFAULT now()
    )
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE sign_in_guesses, operator_links, operator_sessions, operators`.execute(database)
}
