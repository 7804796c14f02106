import { sql } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/** Something that an operator types, and what is so once it was typed. */
export type OperatorWord = {
  words: readonly string[]
  /** Makes what it is typed about, in an empty database. */
  prepare: (database: Database) => Promise<unknown>
  /** Reads what it changes. */
  read: (database: Database) => Promise<unknown>
  expected: unknown
}

const addDelivery = async (database: Database, state: 'pending' | 'dead'): Promise<void> => {
  await sql`INSERT INTO partners (name) VALUES ('Duka la Wanjiku')`.execute(database)
  await sql`
    WITH told AS (
      INSERT INTO deliveries (id, payment_id, partner_id, webhook_id, callback_url, host, body, state, attempts)
      VALUES (1, 1, 1, 'msg_1_failed', 'https://shop.co.ke/told', 'shop.co.ke', '{}', ${state}, 3)
      RETURNING *
    ), waits AS (
      INSERT INTO to_deliver (delivery_id, partner_id, host)
      SELECT id, partner_id, host FROM told WHERE state = 'pending'
    )
    INSERT INTO dead_letters (delivery_id, partner_id, host, reason)
    SELECT id, partner_id, host, 'a test' FROM told WHERE state = 'dead'
  `.execute(database)
}

const readDelivery = async (database: Database): Promise<unknown> => {
  const { rows } = await sql`
    SELECT state, schedule_from, (SELECT count(*)::int FROM to_deliver) AS duties,
           (SELECT count(*)::int FROM dead_letters) AS dead_letters,
           (SELECT count(*)::int > 0 FROM audit WHERE subject_id = '1') AS is_written_down
    FROM deliveries
  `.execute(database)
  return rows
}

const pause = async (database: Database): Promise<void> => {
  await addDelivery(database, 'pending')
  await sql`
    INSERT INTO endpoints (partner_id, host, paused_at, paused_by) VALUES (1, 'shop.co.ke', now(), 'amina')
  `.execute(database)
}

const readEndpoint = async (database: Database): Promise<unknown> => {
  const { rows } = await sql`
    SELECT state, paused_at IS NOT NULL AS is_paused, (SELECT count(*)::int FROM audit) AS lines FROM endpoints
  `.execute(database)
  return rows
}

const ENDPOINT = ['--partner', '1', '--host', 'shop.co.ke']

/** By the name of their crash points. */
export const OPERATOR_WORDS: Readonly<Record<string, OperatorWord>> = {
  settle_by_hand: {
    words: ['payments', 'settle', '1', '--outcome', 'failed', '--reason', 'a test'],
    prepare: (database) =>
      sql`
        INSERT INTO payments (id, partner_id, msisdn, amount_kes, callback_url, state, submit_by)
        VALUES (1, 1, '254712345678', 150, 'https://shop.co.ke/told', 'unconfirmed', now())
      `.execute(database),
    read: async (database) => [
      await database.selectFrom('payments').select('state').executeTakeFirst(),
      await database.selectFrom('deliveries').select('webhook_id').execute(),
    ],
    expected: [{ state: 'failed' }, [{ webhook_id: 'msg_1_failed' }]],
  },
  retry_deliveries: {
    words: ['deliveries', 'retry', '1'],
    prepare: (database) => addDelivery(database, 'dead'),
    read: readDelivery,
    expected: [{ state: 'pending', schedule_from: 3, duties: 1, dead_letters: 0, is_written_down: true }],
  },
  cancel_deliveries: {
    words: ['deliveries', 'cancel', '1', '--reason', 'a test'],
    prepare: (database) => addDelivery(database, 'pending'),
    read: readDelivery,
    expected: [{ state: 'cancelled', schedule_from: 0, duties: 0, dead_letters: 1, is_written_down: true }],
  },
  pause_endpoint: {
    words: ['deliveries', 'pause', ...ENDPOINT],
    prepare: (database) => addDelivery(database, 'pending'),
    read: readEndpoint,
    expected: [{ state: 'closed', is_paused: true, lines: 1 }],
  },
  resume_endpoint: {
    words: ['deliveries', 'resume', ...ENDPOINT],
    prepare: pause,
    read: readEndpoint,
    expected: [{ state: 'ramping', is_paused: false, lines: 1 }],
  },
}
