import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startOwnPostgres } from '../support/own-server.ts'
import { quietLog } from '../support/quiet-log.ts'
import { runStatement } from '../support/test-run.ts'

/** What an administrator may have set for all sessions of a database. */
const GIVEN = {
  lock_timeout: '50ms',
  statement_timeout: '100ms',
  default_transaction_isolation: 'serializable',
  datestyle: 'German, DMY',
  intervalstyle: 'sql_standard',
  standard_conforming_strings: 'off',
  array_nulls: 'off',
  bytea_output: 'escape',
}

describe('whatever an administrator has set for sessions of the database', () => {
  let own: TestDatabase
  let database: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    const name = new URL(own.url).pathname.slice(1)
    for (const [setting, value] of Object.entries(GIVEN))
      await runStatement(own.url, `ALTER DATABASE ${name} SET ${setting} = '${value}'`)
    database = connectDatabase({ databaseUrl: own.url, poolSize: 2, log: quietLog })
    await sql`INSERT INTO daraja_accounts (shortcode) VALUES ('600000')`.execute(database)
  })
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  it('a lock is waited for', async () => {
    const lock = sql`SELECT FROM daraja_accounts FOR UPDATE`
    const { waiting } = await database.transaction().execute(async (transaction) => {
      await lock.execute(transaction)
      const others = lock.execute(database)
      others.catch(() => undefined)
      for (let times = 0; times < 6; times += 1) await sql`SELECT pg_sleep(0.05)`.execute(transaction)
      return { waiting: others }
    })
    await waiting
  })

  it('a command’s statement takes as long as it takes', async () => {
    await sql`SELECT pg_sleep(0.3)`.execute(database)
  })

  it('nothing is nothing in a list, and bytes are as they were', async () => {
    const { rows } = await sql`
      SELECT ${['a', null]}::text[] AS list, ${Buffer.from([0, 92, 255])}::bytea AS bytes
    `.execute(database)
    expect(rows).toEqual([{ list: ['a', null], bytes: Buffer.from([0, 92, 255]) }])
  })

  it('a transaction reads what others have committed since it began', async () => {
    const read = sql`SELECT shortcode FROM daraja_accounts ORDER BY shortcode`
    await database.transaction().execute(async (transaction) => {
      expect((await read.execute(transaction)).rows).toEqual([{ shortcode: '600000' }])
      await sql`INSERT INTO daraja_accounts (shortcode) VALUES ('600001')`.execute(database)
      expect((await read.execute(transaction)).rows).toHaveLength(2)
    })
  })

  it('instants are read as they are, and a backslash is one', async () => {
    const { rows } = await sql`
      SELECT '2026-05-04T18:04:28.5Z'::timestamptz AS at, '2026-05-04'::date::text AS day, 'a\\d' AS text
    `.execute(database)
    expect(rows).toEqual([{ at: new Date('2026-05-04T18:04:28.5Z'), day: '2026-05-04', text: 'a\\d' }])
  })
})

describe('whatever DATABASE_URL has in its query', () => {
  let own: TestDatabase
  beforeAll(async () => {
    own = await createTestDatabase()
  })
  afterAll(() => own.drop())

  const settingsUnder = async (query: Record<string, string>): Promise<Record<string, string>> => {
    const url = new URL(own.url)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const database = connectDatabase({ databaseUrl: url.href, poolSize: 2, log: quietLog })
    try {
      const { rows } = await sql<{ name: string; setting: string }>`
        SELECT name, setting FROM pg_settings
      `.execute(database)
      return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
    } finally {
      await database.destroy()
    }
  }

  it('options add to what the gateway’s sessions have, and change none of it', async () => {
    const settings = await settingsUnder({ options: '-c synchronous_commit=off -c work_mem=7MB' })
    expect(settings).toMatchObject({
      synchronous_commit: 'on',
      jit: 'off',
      application_name: 'mpesa-gateway',
    })
    expect(settings).toMatchObject({ work_mem: '7168' })
  })

  it('neither a name of its own nor times of its own are taken', async () => {
    const query = {
      application_name: 'somebody',
      statement_timeout: '5',
      lock_timeout: '5',
      idle_in_transaction_session_timeout: '5',
    }
    expect(await settingsUnder(query)).toMatchObject({
      application_name: 'mpesa-gateway',
      statement_timeout: '0',
      lock_timeout: '0',
      idle_in_transaction_session_timeout: '10000',
    })
  })

  it.each([
    ['postgres://user:word@localhost/100%', /^DATABASE_URL must be one that can be read: URI malformed$/],
    [
      'postgres://localhost/gateway?sslmode=verify-full&sslrootcert=/nowhere/ca.pem',
      /^DATABASE_URL must be one that can be read: ENOENT: .* '\/nowhere\/ca\.pem'$/,
    ],
  ])('what it cannot be read for is said: %s', (databaseUrl, message) => {
    expect(() => connectDatabase({ databaseUrl, poolSize: 2, log: quietLog })).toThrow(message)
  })
})

// Postgres has it since its release 17.
it.each([false, true])('a transaction takes as long as it takes (mustWrite: %s)', async (mustWrite) => {
  const own = await startOwnPostgres()
  onTestFinished(() => own.close())
  await runStatement(own.url, "ALTER DATABASE postgres SET transaction_timeout = '200ms'")
  const database = connectDatabase({ databaseUrl: own.url, poolSize: 1, mustWrite, log: quietLog })
  onTestFinished(() => database.destroy())
  await database.transaction().execute(async (transaction) => {
    await sql`SELECT pg_sleep(0.3)`.execute(transaction)
  })
})
