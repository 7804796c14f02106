import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { killIfThere } from '../../src/local/child-process.ts'
import { processesIn } from '../../src/local/local-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { copyPrimary, type Standby, startStandby } from '../faults/standby.ts'
import { eventually } from '../support/eventually.ts'
import { openTestFolder, type TestFolder } from '../support/folder.ts'
import { type OwnPostgres, startOwnPostgres } from '../support/own-server.ts'
import { freePort } from '../support/ports.ts'
import { quietLog } from '../support/quiet-log.ts'
import { openTcpLink, type TcpLink } from '../support/tcp-link.ts'

let folder: TestFolder
let primary: OwnPostgres
let replication: TcpLink
let standby: Standby
let database: Database

beforeAll(async () => {
  folder = await openTestFolder()
  primary = await startOwnPostgres()
  replication = await openTcpLink(primary.port)
  standby = await startStandby({
    primaryUrl: primary.url,
    primaryFolder: primary.folder,
    folder: join(folder.path, 'standby'),
    streamFrom: replication.port,
  })
  database = connectDatabase({ databaseUrl: primary.url, poolSize: 2, log: quietLog })
  await sql`CREATE TABLE notes (note text)`.execute(database)
}, 180_000)
afterAll(async () => {
  await database.destroy()
  await standby.stop()
  await replication.close()
  await primary.close()
  await folder.close()
})

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  )

/** What goes wrong when a database is asked for the first time by a process that has to write. */
const failureAt = async (databaseUrl: string): Promise<unknown> => {
  const one = connectDatabase({ databaseUrl, poolSize: 1, log: quietLog, mustWrite: true })
  try {
    return await failureOf(sql`SELECT 1`.execute(one))
  } finally {
    await one.destroy()
  }
}

describe('a standby', () => {
  it('is not used by what has to write, as if it could not be reached', async () => {
    const failure = await failureAt(standby.url('postgres'))
    expect(failure).toMatchObject({ code: '25006', message: expect.stringContaining('read-only') })
    expect(isOutage(failure)).toBe(true)
  })

  it('that takes no connections at all is an outage, as a server that starts up is', async () => {
    const cold = join(folder.path, 'cold')
    await copyPrimary({ primaryUrl: primary.url, primaryFolder: primary.folder, folder: cold })
    const port = await freePort()
    const settings = { hot_standby: 'off' }
    const starting = startEmbeddedPostgres({ dataFolder: cold, port, settings, say: () => undefined })
    const never = failureOf(starting)
    const url = Object.assign(new URL(primary.url), { port: String(port) }).href
    const failure = await eventually(async () => {
      const failed = await failureAt(url)
      expect(failed).toMatchObject({ code: '57P03' })
      return failed
    })
    expect(isOutage(failure)).toBe(true)
    for (const pid of await processesIn(join(cold, 'cluster'))) killIfThere(pid, 'SIGQUIT')
    expect(await never).toBeInstanceOf(Error)
  })
})

describe('a commit that waits for a synchronous standby', () => {
  const waiting = sql<{ pid: number }>`SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'`

  it.each([
    ['alone', () => sql`INSERT INTO notes VALUES (${'alone'})`.execute(database)],
    [
      'in a transaction',
      () =>
        database.transaction().execute(async (transaction) => {
          await sql`INSERT INTO notes VALUES (${'in a transaction'})`.execute(transaction)
        }),
    ],
  ])('is not taken for done when somebody cancels the wait: %s', async (note, commit) => {
    replication.open()
    await standby.makeSynchronous()
    replication.block()
    const failure = failureOf(commit())
    const pid = await eventually(async () => {
      const { rows } = await waiting.execute(database)
      expect(rows).toHaveLength(1)
      return rows[0]?.pid
    })
    await sql`SELECT pg_cancel_backend(${pid}::integer)`.execute(database)
    expect(isOutage(await failure)).toBe(true)
    // It is there, and may be gone after a fail-over: unknown, as the partner is told.
    const { rows } = await sql`SELECT note FROM notes WHERE note = ${note}`.execute(database)
    expect(rows).toEqual([{ note }])
  })
})
