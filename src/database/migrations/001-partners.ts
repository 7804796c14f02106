import { type Kysely, sql } from 'kysely'

/** Partners and the secrets of those who call us. */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE partners (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      name text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      disabled_at timestamptz
    )
  `.execute(database)
  await sql`
    CREATE TABLE api_keys (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      partner_id bigint NOT NULL REFERENCES partners,
      key_hash bytea NOT NULL UNIQUE,
      display_prefix text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      revoked_at timestamptz
    )
  `.execute(database)
  await sql`CREATE INDEX api_keys_partner_id ON api_keys (partner_id)`.execute(database)
  await sql`
    CREATE TABLE service_tokens (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      name text NOT NULL,
      token_hash bytea NOT NULL UNIQUE,
      display_prefix text NOT NULL,
      scopes text[] NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      revoked_at timestamptz
    )
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TABLE service_tokens, api_keys, partners`.execute(database)
}
