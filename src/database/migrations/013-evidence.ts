import { type Kysely, sql } from 'kysely'

const RECEIPT_PARTITIONS = 16

/**
 * Evidence belongs to one payment: the nonce of its callback URL, and the receipts with the payment that each proves. Nothing
 * here stops a payment until the last statements, which want `payments` to themselves for a moment.
 */
export const up = async (database: Kysely<unknown>): Promise<void> => {
  await createReceipts(database)
  await enterReceipts(database, '-infinity')
  // In the order in which callbacks are interpreted: whoever has one of the two tables never waits for the other in a ring.
  await sql`ALTER TABLE callbacks ADD COLUMN nonce text`.execute(database)
  await sql`ALTER TABLE payments ADD COLUMN callback_nonce text`.execute(database)
  await createTrigger(database)
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
 * Enters the receipts of payments that are there: all at first, while others go on settling, then those of the last days once
 * nobody settles without the trigger any more. Of two payments with one receipt the elder has it.
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
 * Processes of the release before know no receipts, and settle beside those that do. Whoever enters receipts by itself says so
 * in a setting of its connections, and does not pay for the trigger.
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

export const down = async (database: Kysely<unknown>): Promise<void> => {
  await sql`DROP TRIGGER enter_receipt ON payments`.execute(database)
  await sql`DROP FUNCTION enter_receipt`.execute(database)
  await sql`ALTER TABLE payments DROP COLUMN callback_nonce`.execute(database)
  await sql`ALTER TABLE callbacks DROP COLUMN nonce`.execute(database)
  await sql`DROP TABLE receipts`.execute(database)
}
