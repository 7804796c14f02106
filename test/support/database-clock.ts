import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { quietLog } from './quiet-log.ts'

/** The clock that the statements of one test database go by. */
export type DatabaseClock = {
  /** Puts it forward; resolves when every statement that begins from now on sees it. */
  advance(seconds: number): Promise<void>
  /** Lets it stand still from now on, but for what it is put forward. */
  stop(): Promise<void>
  /** What it says. */
  now(): Promise<Date>
  close(): Promise<void>
}

/**
 * Gives a test database a clock of its own: whatever its connections, those opened from now on, call `now()` is the machine's
 * clock plus what the test has put it forward, also in the defaults of columns. So days pass in a moment, for all that waits in
 * Postgres; timers of processes go on as ever. Call it before anything else connects.
 */
export const startDatabaseClock = async (databaseUrl: string): Promise<DatabaseClock> => {
  const database = connectDatabase({ databaseUrl, poolSize: 1, log: quietLog })
  await sql`CREATE SCHEMA clock`.execute(database)
  await sql`CREATE TABLE clock.shift AS SELECT interval '0' AS by, NULL::timestamptz AS stopped_at`.execute(
    database,
  )
  await sql`
    CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT coalesce(stopped_at, pg_catalog.now()) + by FROM clock.shift'
  `.execute(database)
  await goByIt(database)
  return {
    advance: async (seconds) => {
      await sql`UPDATE clock.shift SET by = by + make_interval(secs => ${seconds})`.execute(database)
    },
    stop: async () => {
      await sql`UPDATE clock.shift SET stopped_at = pg_catalog.now()`.execute(database)
    },
    now: async () => {
      const { rows } = await sql<{ now: Date }>`SELECT clock.now() AS now`.execute(database)
      return rows[0]?.now ?? new Date()
    },
    close: () => database.destroy(),
  }
}

/**
 * Puts the clock's schema before Postgres's own in the search path of the database, and binds the defaults of its columns anew,
 * which were bound when the tables were made. This clock is read for each row that is compared with it: a plan that goes
 * through the whole of a table, which is good for a small one else, would do nothing but read the clock.
 */
const goByIt = async (database: Database): Promise<void> => {
  await sql`
    DO $$
    DECLARE bound record;
    BEGIN
      EXECUTE format('ALTER DATABASE %I SET search_path = clock, public, pg_catalog', current_database());
      EXECUTE format('ALTER DATABASE %I SET enable_seqscan = off', current_database());
      EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
      FOR bound IN
        SELECT adrelid::regclass AS relation, attname FROM pg_attrdef
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE pg_get_expr(adbin, adrelid) = 'now()'
      LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT clock.now()', bound.relation, bound.attname);
      END LOOP;
    END $$
  `.execute(database)
}
