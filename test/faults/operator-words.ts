import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createPartner } from '../../src/core/partners/partner.ts'
import { setAccount } from '../../src/core/partners/partner-account.ts'
import type { Database } from '../../src/database/connect.ts'
import { createVault } from '../../src/runtime/seal.ts'
import { testActor } from '../support/actor.ts'
import { TEST_SECRET_KEY, testVault } from '../support/vault.ts'

/** Something that an operator types, and what is so once it was typed. */
export type OperatorWord = {
  words: readonly string[]
  /** The settings that it needs beside the database. */
  environment?: Record<string, string>
  /** Makes what it is typed about, in an empty database. */
  prepare: (database: Database) => Promise<unknown>
  /** Reads what it changes. */
  read: (database: Database) => Promise<unknown>
  expected: unknown
}

const addDelivery = async (database: Database, state: 'pending' | 'dead'): Promise<void> => {
  await sql`INSERT INTO partners (name) VALUES ('Duka la Wanjiku')`.execute(database)
  await sql`
    WITH made AS (
      INSERT INTO deliveries (id, payment_id, partner_id, webhook_id, callback_url, host, body, state, attempts)
      VALUES (1, 1, 1, 'msg_1_failed', 'https://shop.co.ke/callback', 'shop.co.ke', '{}', ${state}, 3)
      RETURNING *
    ), waits AS (
      INSERT INTO to_deliver (delivery_id, partner_id, host)
      SELECT id, partner_id, host FROM made WHERE state = 'pending'
    )
    INSERT INTO dead_letters (delivery_id, partner_id, host, reason)
    SELECT id, partner_id, host, 'a test' FROM made WHERE state = 'dead'
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

const addPartner = async (database: Database): Promise<bigint> => {
  const partner = { name: 'Duka', vault: testVault, actor: testActor, randomBytes }
  const { partnerId } = await createPartner({ database, ...partner })
  await forgetAudit(database)
  return partnerId
}

/** So that what the audit log holds afterwards is of the command alone. */
const forgetAudit = (database: Database): Promise<unknown> => database.deleteFrom('audit').execute()

const ACCOUNT = {
  consumerKey: 'key',
  consumerSecret: 'secret',
  passkey: 'passkey',
  shortcode: '600111',
  transactionType: 'CustomerPayBillOnline',
  partyB: '600111',
} as const

const addAccount = async (database: Database): Promise<void> => {
  const partnerId = await addPartner(database)
  const own = { vault: testVault, account: ACCOUNT, features: { uniqueReference: false, pull: null } }
  await setAccount({ database, partnerId, ...own, actor: testActor })
  await forgetAudit(database)
}

const readAccounts = async (database: Database): Promise<unknown> => {
  const { rows } = await sql`
    SELECT id::int, shortcode, ended_at IS NULL AS is_current, (SELECT count(*)::int > 0 FROM audit) AS is_written_down
    FROM partner_accounts
  `.execute(database)
  return rows
}

/** The keys that secrets are sealed under, and how many are; and how many the audit log says were sealed again. */
const readKeys = async (database: Database): Promise<unknown> => {
  const { rows } = await sql`
    SELECT split_part(sealed, '.', 2) AS key, count(*)::int AS secrets FROM (
      SELECT secret_sealed AS sealed FROM signing_secrets
      UNION ALL SELECT unnest(ARRAY[consumer_key_sealed, consumer_secret_sealed, passkey_sealed]) FROM partner_accounts
    ) secrets GROUP BY 1
  `.execute(database)
  const written = await sql`SELECT sum((after ->> 'resealed')::int)::int AS written_down FROM audit`.execute(
    database,
  )
  return [...rows, ...written.rows]
}

const NEW_SECRET_KEY = 'cd'.repeat(32)
const NEW_KEY_ID = createVault({
  secretKey: Buffer.from(NEW_SECRET_KEY, 'hex'),
  previousSecretKey: null,
  randomBytes,
})
  .seal('', '')
  .split('.')[1]

const addUnconfirmed = (database: Database): Promise<unknown> =>
  sql`
    INSERT INTO payments (id, partner_id, msisdn, amount_kes, callback_url, state, submit_by)
    VALUES (1, 1, '254712345678', 150, 'https://shop.co.ke/callback', 'unconfirmed', now())
  `.execute(database)

const ENDPOINT = ['--partner', '1', '--host', 'shop.co.ke']

/** By the name of their crash points. */
export const OPERATOR_WORDS: Readonly<Record<string, OperatorWord>> = {
  rotate_signing_secret: {
    words: ['partners', 'signing-secret', 'rotate', '1', '--overlap', '0s'],
    environment: { SECRET_KEY: TEST_SECRET_KEY },
    prepare: addPartner,
    read: async (database) => {
      const { rows } = await sql`
        SELECT expires_at, id > 1 AS is_new, (SELECT count(*)::int > 0 FROM audit) AS is_written_down
        FROM signing_secrets
      `.execute(database)
      return rows
    },
    expected: [{ expires_at: null, is_new: true, is_written_down: true }],
  },
  set_account: {
    words: ['accounts', 'create', '--partner', '1', '--shortcode', '600111'],
    environment: {
      SECRET_KEY: TEST_SECRET_KEY,
      ACCOUNT_CONSUMER_KEY: 'key',
      ACCOUNT_CONSUMER_SECRET: 'secret',
      ACCOUNT_PASSKEY: 'passkey',
    },
    prepare: addPartner,
    read: async (database) =>
      database.selectFrom('partner_accounts').select(['shortcode', 'ended_at']).execute(),
    expected: [{ shortcode: '600111', ended_at: null }],
  },
  end_account: {
    words: ['accounts', 'end', '--partner', '1'],
    prepare: addAccount,
    read: readAccounts,
    expected: [{ id: 1, shortcode: '600111', is_current: false, is_written_down: true }],
  },
  reseal: {
    words: ['secrets', 'rotate'],
    environment: { SECRET_KEY: NEW_SECRET_KEY, SECRET_KEY_PREVIOUS: TEST_SECRET_KEY },
    prepare: addAccount,
    read: readKeys,
    expected: [{ key: NEW_KEY_ID, secrets: 4 }, { written_down: 4 }],
  },
  begin_epoch: {
    words: ['restored', '--yes'],
    prepare: () => Promise.resolve(),
    read: async (database) => {
      const { rows } = await sql`
        SELECT (SELECT max(number) FROM epochs) > 1 AS has_begun,
               (SELECT count(*) FROM epochs) - 1 = (SELECT count(*) FROM audit) AS is_written_down
      `.execute(database)
      return rows
    },
    expected: [{ has_begun: true, is_written_down: true }],
  },
  settle_by_hand: {
    words: ['payments', 'settle', '1', '--outcome', 'failed', '--reason', 'a test'],
    prepare: addUnconfirmed,
    read: async (database) => [
      await database.selectFrom('payments').select('state').executeTakeFirst(),
      await database.selectFrom('deliveries').select('webhook_id').execute(),
    ],
    expected: [{ state: 'failed' }, [{ webhook_id: 'msg_1_failed' }]],
  },
  approve_change: {
    words: ['approvals', 'approve', '1', '--by', 'wanjiku'],
    prepare: async (database) => {
      await addUnconfirmed(database)
      await sql`INSERT INTO operators (name, role) VALUES ('wanjiku', 'money'), ('amina', 'mend')`.execute(
        database,
      )
      await sql`
        INSERT INTO approvals (kind, payment_id, parameters, asked_by) VALUES
          ('settle_payment', 1, '{"outcome":"failed","receipt":null,"reason":"a test","anyway":false}', 'amina')
      `.execute(database)
    },
    read: async (database) => [
      await database.selectFrom('payments').select('state').execute(),
      await database.selectFrom('deliveries').select('webhook_id').execute(),
      await database.selectFrom('approvals').select(['decision', 'decided_by']).execute(),
      await database.selectFrom('audit').select('action').orderBy('id').execute(),
    ],
    expected: [
      [{ state: 'failed' }],
      [{ webhook_id: 'msg_1_failed' }],
      [{ decision: 'approved', decided_by: 'wanjiku' }],
      [{ action: 'settled' }, { action: 'approval_approved' }],
    ],
  },
  import_statement: {
    words: ['statement', 'import', join(import.meta.dirname, '../fixtures/statements/portal.csv')],
    environment: { SECRET_KEY: TEST_SECRET_KEY, DARAJA_SHORTCODE: '600123' },
    prepare: () => Promise.resolve(),
    read: async (database) => [
      await database.selectFrom('statements').select(['lines', 'paid_lines']).execute(),
      await database.selectFrom('statement_lines').select('receipt').orderBy('receipt').execute(),
      await database.selectFrom('audit').select('action').execute(),
    ],
    expected: [
      [{ lines: 4, paid_lines: 2 }],
      [{ receipt: 'TKP2AX1QRS' }, { receipt: 'TKP5AY9DLM' }],
      [{ action: 'imported' }],
    ],
  },
  acknowledge_exceptions: {
    words: ['statement', 'exceptions', 'acknowledge', '1', '--note', 'a test'],
    prepare: (database) =>
      sql`
        WITH made AS (
          INSERT INTO statements (id, fingerprint, file_name, shortcode, covers_from, covers_to, imported_by)
          VALUES (1, 'x', 'a.csv', '600123', now(), now(), 'amina') RETURNING id
        )
        INSERT INTO statement_exceptions (statement_id, kind, receipt) SELECT id, 'unknown_here', 'TKP5AY9DLM' FROM made
      `.execute(database),
    read: async (database) => [
      await database.selectFrom('statement_exceptions').select('note').execute(),
      await database.selectFrom('audit').select('action').execute(),
    ],
    expected: [[{ note: 'a test' }], [{ action: 'acknowledged' }]],
  },
  cancel_payment: {
    words: ['payments', 'cancel', '1'],
    prepare: (database) =>
      sql`
        WITH made AS (
          INSERT INTO payments (id, partner_id, msisdn, amount_kes, callback_url, state, submit_by)
          VALUES (1, 1, '254712345678', 150, 'https://shop.co.ke/callback', 'accepted', now() + interval '1 hour')
          RETURNING *
        )
        INSERT INTO to_submit (payment_id, submit_by) SELECT id, submit_by FROM made
      `.execute(database),
    read: async (database) => [
      await database.selectFrom('payments').select(['state', 'result_code']).executeTakeFirst(),
      await database.selectFrom('deliveries').select('webhook_id').execute(),
      await database.selectFrom('to_submit').select('payment_id').execute(),
      await database.selectFrom('audit').select('action').execute(),
    ],
    expected: [
      { state: 'failed', result_code: 'CANCELLED' },
      [{ webhook_id: 'msg_1_failed' }],
      [],
      [{ action: 'cancelled' }],
    ],
  },
  probe_endpoint: {
    words: ['deliveries', 'probe', ...ENDPOINT],
    prepare: async (database) => {
      await addDelivery(database, 'pending')
      await sql`
        INSERT INTO endpoints (partner_id, host, state, open_until)
        VALUES (1, 'shop.co.ke', 'open', now() + interval '1 hour')
      `.execute(database)
    },
    read: async (database) => {
      const { rows } = await sql`
        SELECT state, open_until <= now() AS is_due, (SELECT count(*)::int > 0 FROM audit) AS is_written_down
        FROM endpoints
      `.execute(database)
      return rows
    },
    expected: [{ state: 'open', is_due: true, is_written_down: true }],
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
