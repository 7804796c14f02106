import { type Kysely, sql } from 'kysely'

/**
 * An epoch ends when the database is put back to an older copy of itself and somebody says so (`gateway restored`). The
 * first is named after the instant at which the database was first migrated, which every copy holds: so a copy that is
 * older than this migration is known for one of the same gateway once it was migrated again.
 *
 * `raise_sequence` only ever raises. Nobody draws a number while it looks and sets, for ALTER SEQUENCE waits for
 * whoever drew one and keeps out whoever wants to. It runs as its owner, since the gateway's own group owns all
 * sequences but that of `audit`.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE epochs (
      number integer PRIMARY KEY,
      token text NOT NULL UNIQUE,
      begun_at timestamptz NOT NULL DEFAULT now(),
      begun_by text
    )
  `.execute(database)
  await sql`
    INSERT INTO epochs (number, token)
    SELECT 1, md5('mpesa-gateway ' || min("timestamp")) FROM kysely_migration HAVING count(*) > 0
    UNION ALL SELECT 1, replace(gen_random_uuid()::text, '-', '') WHERE NOT EXISTS (SELECT FROM kysely_migration)
  `.execute(database)
  await sql`
    CREATE FUNCTION raise_sequence(sequence regclass, lowest bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
      reached bigint;
    BEGIN
      EXECUTE format('ALTER SEQUENCE %s NO CYCLE', sequence);
      EXECUTE format('SELECT last_value FROM %s', sequence) INTO reached;
      IF reached < lowest THEN
        reached := setval(sequence, lowest);
      END IF;
      RETURN reached;
    END
    $$
  `.execute(database)
  await sql`REVOKE ALL ON FUNCTION raise_sequence(regclass, bigint) FROM PUBLIC`.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP FUNCTION raise_sequence(regclass, bigint)`.execute(database)
  await sql`DROP TABLE epochs`.execute(database)
}
