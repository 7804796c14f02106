import { type Kysely, sql } from 'kysely'

/**
 * Every change of a payment's state becomes an event with a position, by which watchers read them in an order in which
 * nothing is ever inserted: see decision 37. The events are the rows of `payment_history`, and of `payments` for the
 * first, `accepted`. What happened before has no position and is no event.
 *
 * A position is the transaction's number. `event_base` is what is added to it: more than 0 only where the data came
 * into a Postgres whose numbers are behind those that it holds, by a dump (`raiseEventBase`). All three are written so
 * that Postgres puts them into the statement that calls them: in its place stands `pg_current_xact_id()`.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await createFunctions(database)
  await sql`
    ALTER TABLE payments
      ADD COLUMN accepted_position bigint,
      ADD COLUMN event_position bigint,
      ADD COLUMN event_number integer NOT NULL DEFAULT 1
  `.execute(database)
  // Set by itself, or the rows that are there would all be written.
  await sql`
    ALTER TABLE payments ALTER COLUMN accepted_position SET DEFAULT current_event_position()
  `.execute(database)
  await sql`
    ALTER TABLE payment_history ADD COLUMN event_position bigint, ADD COLUMN event_number integer
  `.execute(database)
  // Of rows from before there are no entries. Built afterwards, by `buildIndexes`.
  await sql`
    CREATE INDEX payments_accepted_position ON ONLY payments (accepted_position) WHERE accepted_position IS NOT NULL
  `.execute(database)
  await sql`
    CREATE INDEX payment_history_event_position ON ONLY payment_history (event_position)
    WHERE event_position IS NOT NULL
  `.execute(database)
  await createTriggers(database)
}

const createFunctions = async (database: Kysely<unknown>): Promise<void> => {
  await sql`CREATE FUNCTION event_base() RETURNS bigint LANGUAGE sql STABLE RETURN 0::bigint`.execute(
    database,
  )
  await sql`
    CREATE FUNCTION current_event_position() RETURNS bigint LANGUAGE sql STABLE
    RETURN pg_current_xact_id()::text::bigint + event_base()
  `.execute(database)
  await sql`
    CREATE FUNCTION event_horizon() RETURNS bigint LANGUAGE sql STABLE
    RETURN pg_snapshot_xmin(pg_current_snapshot())::text::bigint + event_base()
  `.execute(database)
}

/**
 * Processes of the release before move payments without giving their moves positions; statements of this one do, and
 * do not pay for the functions.
 */
const createTriggers = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE FUNCTION number_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.event_number := OLD.event_number + 1;
      NEW.event_position := greatest(OLD.event_position, OLD.accepted_position, current_event_position());
      RETURN NEW;
    END $$
  `.execute(database)
  await sql`
    CREATE TRIGGER number_move BEFORE UPDATE OF state ON payments FOR EACH ROW
    WHEN (NEW.state <> OLD.state AND NEW.event_number = OLD.event_number)
    EXECUTE FUNCTION number_move()
  `.execute(database)
  await sql`
    CREATE FUNCTION number_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      SELECT event_position, event_number INTO NEW.event_position, NEW.event_number
      FROM payments WHERE id = NEW.payment_id;
      RETURN NEW;
    END $$
  `.execute(database)
  await sql`
    CREATE TRIGGER number_history BEFORE INSERT ON payment_history FOR EACH ROW
    WHEN (NEW.event_number IS NULL)
    EXECUTE FUNCTION number_history()
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TRIGGER number_history ON payment_history`.execute(database)
  await sql`DROP FUNCTION number_history`.execute(database)
  await sql`DROP TRIGGER number_move ON payments`.execute(database)
  await sql`DROP FUNCTION number_move`.execute(database)
  await sql`ALTER TABLE payment_history DROP COLUMN event_position, DROP COLUMN event_number`.execute(
    database,
  )
  await sql`
    ALTER TABLE payments DROP COLUMN accepted_position, DROP COLUMN event_position, DROP COLUMN event_number
  `.execute(database)
  await sql`DROP FUNCTION current_event_position`.execute(database)
  await sql`DROP FUNCTION event_horizon`.execute(database)
  await sql`DROP FUNCTION event_base`.execute(database)
}
