import { type Kysely, sql } from 'kysely'

const RECEIPT_PARTITIONS = 16

/**
 * Evidence belongs to one payment: the nonce of its callback URL, and the receipts with the payment that each proves.
 * Nothing here stops a payment until the last statements, which want `payments` to themselves for a moment.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await createReceipts(database)
  await enterReceipts(database, '-infinity')
  // In the order in which callbacks are interpreted: transactions that lock rows of both tables cannot deadlock.
  await sql`ALTER TABLE callbacks ADD COLUMN nonce text`.execute(database)
  await sql`ALTER TABLE payments ADD COLUMN callback_nonce text`.execute(database)
  await createTrigger(database)
  await createNonceTrigger(database)
  await createCallbackTrigger(database)
  await enterReceipts(database, '3 days')
}

const createReceipts = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE receipts (
      payment_id bigint NOT NULL,
      receipt text PRIMARY KEY
    ) PARTITION BY HASH (receipt)
  `.execute(database)
  for (let remainder = 0; remainder < RECEIPT_PARTITIONS; remainder += 1) {
    await sql`
      CREATE TABLE ${sql.table(`receipts_${remainder}`)} PARTITION OF receipts
      FOR VALUES WITH (MODULUS ${sql.lit(RECEIPT_PARTITIONS)}, REMAINDER ${sql.lit(remainder)})
    `.execute(database)
  }
}

/**
 * Enters the receipts of payments that are there: all at first, while others go on settling, then those of the last
 * days once nobody settles without the trigger any more. Of two payments with one receipt the elder has it.
 */
const enterReceipts = async (database: Kysely<unknown>, since: '-infinity' | '3 days'): Promise<void> => {
  const from =
    since === '-infinity' ? sql`'-infinity'::timestamptz` : sql`now() - ${sql.lit(since)}::interval`
  await sql`
    INSERT INTO receipts (receipt, payment_id)
    SELECT receipt, min(id) FROM payments WHERE receipt IS NOT NULL AND created_at >= ${from} GROUP BY receipt
    ON CONFLICT DO NOTHING
  `.execute(database)
}

/**
 * Processes of the release before know no receipts, and settle beside those that do. Whoever enters receipts by itself
 * says so in a setting of its connections, and does not pay for the trigger.
 */
const createTrigger = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE FUNCTION enter_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO receipts (receipt, payment_id) VALUES (NEW.receipt, NEW.id) ON CONFLICT DO NOTHING;
      RETURN NULL;
    END $$
  `.execute(database)
  await sql`
    CREATE TRIGGER enter_receipt AFTER UPDATE OF receipt ON payments FOR EACH ROW
    WHEN (NEW.receipt IS NOT NULL AND NEW.receipt IS DISTINCT FROM OLD.receipt
          AND current_setting('mpesa_gateway.enters_receipts', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION enter_receipt()
  `.execute(database)
}

/**
 * A process of the release before pushes without the nonce, also a payment that was accepted with one. The nonce goes
 * as it takes it: what calls back is then believed as for every payment of that release. Else one whose reply to the
 * push was lost would stay unconfirmed, whatever came back.
 */
const createNonceTrigger = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE FUNCTION forget_nonce() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.callback_nonce := NULL;
      RETURN NEW;
    END $$
  `.execute(database)
  await sql`
    CREATE TRIGGER forget_nonce BEFORE UPDATE OF state ON payments FOR EACH ROW
    WHEN (NEW.state = 'submitting' AND OLD.state = 'accepted' AND NEW.callback_nonce IS NOT NULL
          AND current_setting('mpesa_gateway.enters_receipts', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION forget_nonce()
  `.execute(database)
}

/**
 * Nor does it read the nonce of a callback that it takes, which may be the only evidence of a payment whose reply to
 * the push was lost: what it stores counts as come to the URL of the payment that the token names, as it does in that
 * release.
 */
const createCallbackTrigger = async (database: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE FUNCTION fill_in_nonce() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.nonce := (SELECT callback_nonce FROM payments WHERE id = NEW.payment_id);
      RETURN NEW;
    END $$
  `.execute(database)
  await sql`
    CREATE TRIGGER fill_in_nonce BEFORE INSERT ON callbacks FOR EACH ROW
    WHEN (NEW.payment_id IS NOT NULL AND NEW.nonce IS NULL
          AND current_setting('mpesa_gateway.enters_receipts', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION fill_in_nonce()
  `.execute(database)
}

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TRIGGER fill_in_nonce ON callbacks`.execute(database)
  await sql`DROP FUNCTION fill_in_nonce`.execute(database)
  await sql`DROP TRIGGER forget_nonce ON payments`.execute(database)
  await sql`DROP FUNCTION forget_nonce`.execute(database)
  await sql`DROP TRIGGER enter_receipt ON payments`.execute(database)
  await sql`DROP FUNCTION enter_receipt`.execute(database)
  await sql`ALTER TABLE payments DROP COLUMN callback_nonce`.execute(database)
  await sql`ALTER TABLE callbacks DROP COLUMN nonce`.execute(database)
  await sql`DROP TABLE receipts`.execute(database)
}
