import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { eventually } from '../support/eventually.ts'
import { type OwnPostgres, startOwnPostgres } from '../support/own-server.ts'
import { freePort } from '../support/ports.ts'
import { quietLog } from '../support/quiet-log.ts'
import { openTcpLink } from '../support/tcp-link.ts'
import { onDatabase, runStatement } from '../support/test-run.ts'

/** A Postgres of its own: what makes these outages concerns the whole server. */
let server: OwnPostgres
let count = 0

beforeAll(async () => {
  server = await startOwnPostgres()
}, 120_000)
afterAll(() => server.close())

/** A role and a database of its own name, and a pool of that role on it. */
type Own = { name: string; url: URL; database: Database; admin: (statement: string) => Promise<void> }

const useOwn = async (work: (own: Own) => Promise<void>): Promise<void> => {
  count += 1
  const name = `own_${count}`
  const admin = (statement: string) => runStatement(server.url, statement)
  await admin(`CREATE ROLE ${name} LOGIN PASSWORD 'first'`)
  await admin(`CREATE DATABASE ${name} OWNER ${name}`)
  const url = new URL(onDatabase(server.url, name))
  Object.assign(url, { username: name, password: 'first' })
  const database = connectDatabase({
    databaseUrl: url.href,
    poolSize: 2,
    log: quietLog,
    answerWithinMs: 20_000,
    mustWrite: true,
  })
  try {
    await work({ name, url, database, admin })
  } finally {
    await database.destroy()
  }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  )

const askOne = (database: Database): Promise<unknown> => sql`SELECT ${1}::integer AS one`.execute(database)

/** What goes wrong when a database is asked for the first time. */
const failureAt = async (databaseUrl: string): Promise<unknown> => {
  const database = connectDatabase({ databaseUrl, poolSize: 1, log: quietLog })
  try {
    return await failureOf(askOne(database))
  } finally {
    await database.destroy()
  }
}

describe('a connection that cannot be had is an outage, whatever keeps it', () => {
  it.each([
    ['28P01', 'a password that was rotated', (name: string) => `ALTER ROLE ${name} PASSWORD 'second'`],
    ['28000', 'a role that may not log in', (name: string) => `ALTER ROLE ${name} NOLOGIN`],
    [
      '3D000',
      'a database that was renamed',
      (name: string) => `ALTER DATABASE ${name} RENAME TO ${name}_old`,
    ],
    ['53300', 'too many connections', (name: string) => `ALTER ROLE ${name} CONNECTION LIMIT 0`],
    [
      '55000',
      'a database that is closed',
      (name: string) => `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`,
    ],
    [
      '42501',
      'a role that was shut out',
      (name: string) => `REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC, ${name}`,
    ],
    [
      '25006',
      'a database that is read-only',
      (name: string) => `ALTER DATABASE ${name} SET default_transaction_read_only = on`,
    ],
  ])('%s, %s', async (code, _what, cause) => {
    await useOwn(async ({ name, database, admin }) => {
      await admin(cause(name))
      const failure = await failureOf(askOne(database))
      expect(failure).toMatchObject({ code })
      expect(isOutage(failure)).toBe(true)
    })
  })

  it('no way to its address', async () => {
    // Documentation's own range of addresses (RFC 3849): no network has a way there.
    const failure = await failureAt('postgres://user:word@[2001:db8::1]:5432/gateway')
    expect([failure, isOutage(failure)]).toEqual([expect.any(Error), true])
  }, 30_000)

  it.each(['127.0.0.1', 'localhost'])('nothing that listens on any address of %s', async (host) => {
    const failure = await failureAt(`postgres://user:word@${host}:${await freePort()}/gateway`)
    expect(failure).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') })
    expect(isOutage(failure)).toBe(true)
  })

  it('a server that hangs up', async () => {
    const link = await openTcpLink(server.port)
    link.block()
    const failure = await failureAt(`postgres://user:word@127.0.0.1:${link.port}/gateway`)
    await link.close()
    expect([failure, isOutage(failure)]).toEqual([expect.any(Error), true])
  })

  it('a server that has lost its certificate', async () => {
    const failure = await failureAt(
      `postgres://user:word@127.0.0.1:${server.port}/gateway?sslmode=verify-full`,
    )
    expect([failure, isOutage(failure)]).toEqual([expect.any(Error), true])
  })
})

describe('a connection that is lost while it is used is an outage', () => {
  it('ended by an operator, in the middle of a statement', async () => {
    await useOwn(async ({ name, database, admin }) => {
      await askOne(database)
      const slow = failureOf(sql`SELECT pg_sleep(60)`.execute(database))
      await admin(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${name}' AND pid <> pg_backend_pid()`,
      )
      const failure = await slow
      expect(failure).toMatchObject({ code: '57P01' })
      expect(isOutage(failure)).toBe(true)
    })
  })

  it('cut in the middle of a statement, and between those of a transaction', async () => {
    await useOwn(async ({ url }) => {
      const link = await openTcpLink(server.port)
      Object.assign(url, { port: String(link.port) })
      const database = connectDatabase({ databaseUrl: url.href, poolSize: 1, log: quietLog })
      await askOne(database)
      const slow = failureOf(sql`SELECT pg_sleep(60)`.execute(database))
      link.cut()
      expect(isOutage(await slow)).toBe(true)
      const transaction = database.transaction().execute(async (open) => {
        await sql`SELECT ${2}::integer`.execute(open)
        link.cut()
        for (;;) await sql`SELECT ${3}::integer`.execute(open)
      })
      expect(isOutage(await failureOf(transaction))).toBe(true)
      await database.destroy()
      await link.close()
    })
  })
})

describe('a defect is none', () => {
  const circular: unknown[] = []
  circular.push({ circular })

  it.each([
    ['a statement that is not SQL', sql`SELEC`],
    ['a table that is not there', sql`SELECT ${1}::integer FROM nowhere`],
    ['a value of the wrong kind', sql`SELECT ${'x'}::integer`],
    ['a value that has no text', sql`SELECT ${circular}::jsonb`],
  ])('%s', async (_what, statement) => {
    await useOwn(async ({ database }) => {
      const failure = await failureOf(statement.execute(database))
      expect([failure, isOutage(failure)]).toEqual([expect.any(Error), false])
      await askOne(database)
    })
  })

  it('a pool that was closed', async () => {
    await useOwn(async ({ url }) => {
      const database = connectDatabase({ databaseUrl: url.href, poolSize: 1, log: quietLog })
      await database.destroy()
      expect(isOutage(await failureOf(askOne(database)))).toBe(false)
    })
  })
})

describe('connections that turned read-only', () => {
  /** For the whole server at once, so that connections which are open are reached, as when a primary is fenced. */
  const fence = async (how: 'SET' | 'RESET'): Promise<void> => {
    const url = `${server.url}?options=-c%20default_transaction_read_only%3Doff`
    const setting = 'default_transaction_read_only'
    await runStatement(url, `ALTER SYSTEM ${how} ${setting}${how === 'SET' ? ' = on' : ''}`)
    await runStatement(url, 'SELECT pg_reload_conf()')
  }

  it('are closed and replaced once one of them cannot write, all of them', async () => {
    await useOwn(async ({ database }) => {
      await sql`CREATE TABLE notes (note text)`.execute(database)
      const write = (): Promise<unknown> => sql`INSERT INTO notes VALUES (${'x'})`.execute(database)
      const pids = async (): Promise<unknown[]> => {
        const ask = () =>
          sql<{ pid: number }>`SELECT pg_backend_pid() AS pid, pg_sleep(0.05)`.execute(database)
        const answers = await Promise.all([ask(), ask()])
        return answers.map(({ rows }) => rows[0]?.pid)
      }
      const before = await pids()
      await fence('SET')
      try {
        const failure = await eventually(async () => {
          const failed = await failureOf(write())
          expect(failed).toMatchObject({ code: '25006' })
          return failed
        })
        expect(isOutage(failure)).toBe(true)
        // New ones may only read too, and none is kept.
        expect(isOutage(await failureOf(askOne(database)))).toBe(true)
      } finally {
        await fence('RESET')
      }
      await eventually(async () => expect(await failureOf(write())).toBe(null))
      const after = await pids()
      expect(after.filter((pid) => before.includes(pid))).toEqual([])
    })
  })

  it('that a database setting made so are replaced at the first write after it is gone', async () => {
    await useOwn(async ({ name, url, admin }) => {
      await runStatement(url.href, 'CREATE TABLE notes (note text)')
      await admin(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
      // Without `mustWrite`, as an operator's command: it may read.
      const database = connectDatabase({ databaseUrl: url.href, poolSize: 3, log: quietLog })
      const write = (): Promise<unknown> => sql`INSERT INTO notes VALUES (${'x'})`.execute(database)
      await Promise.all([askOne(database), askOne(database), askOne(database)])
      await admin(`ALTER DATABASE ${name} RESET default_transaction_read_only`)
      expect(await failureOf(write())).toMatchObject({ code: '25006' })
      for (let times = 0; times < 5; times += 1) expect(await failureOf(write())).toBe(null)
      await database.destroy()
    })
  })
})

describe('a statement whose plan has become outdated', () => {
  it('is prepared anew, without its caller noticing', async () => {
    await useOwn(async ({ database }) => {
      await sql`CREATE TABLE notes (note text)`.execute(database)
      const read = () => sql`SELECT * FROM notes WHERE note <> ${'x'}`.execute(database)
      await Promise.all([read(), read()])
      await sql`ALTER TABLE notes ADD COLUMN more text`.execute(database)
      await sql`INSERT INTO notes VALUES ('y', 'z')`.execute(database)
      for (let times = 0; times < 5; times += 1) {
        expect(await read()).toMatchObject({ rows: [{ note: 'y', more: 'z' }] })
      }
    })
  })

  it('is prepared anew when the server has forgotten it', async () => {
    await useOwn(async ({ database }) => {
      await database.connection().execute(async (connection) => {
        await askOne(connection)
        await sql`DEALLOCATE ALL`.execute(connection)
        expect(await askOne(connection)).toMatchObject({ rows: [{ one: 1 }] })
      })
    })
  })

  it('fails its transaction as an outage does, and the next one succeeds', async () => {
    await useOwn(async ({ database }) => {
      await sql`CREATE TABLE notes (note text)`.execute(database)
      const read = () =>
        database
          .transaction()
          .execute((transaction) => sql`SELECT * FROM notes WHERE note <> ${'x'}`.execute(transaction))
      await Promise.all([read(), read()])
      await sql`ALTER TABLE notes ADD COLUMN more text`.execute(database)
      const failure = await failureOf(read())
      expect([failure, isOutage(failure)]).toEqual([expect.any(Error), true])
      for (let times = 0; times < 3; times += 1) expect(await failureOf(read())).toBe(null)
    })
  })
})
