import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { quietLog } from '../support/quiet-log.ts'
import { openDatabaseLink, type TcpLink } from '../support/tcp-link.ts'

describe('a network that goes silent, and ends no connection', () => {
  let own: TestDatabase
  let link: TcpLink
  let database: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    const way = await openDatabaseLink(own.url)
    link = way.link
    database = connectDatabase({ databaseUrl: way.url, poolSize: 1, log: quietLog, answerWithinMs: 1_000 })
  })
  afterAll(async () => {
    link.cut()
    await database.destroy()
    await link.close()
    await own.drop()
  })

  const failureOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (error: unknown) => error,
    )

  const one = sql`SELECT ${1}::integer AS one`
  const works = () => eventually(async () => expect((await one.execute(database)).rows).toEqual([{ one: 1 }]))

  it('is an outage for a statement, and over for the next one once the network is back', async () => {
    await works()
    link.silence()
    expect(isOutage(await failureOf(one.execute(database)))).toBe(true)
    link.open()
    await works()
  })

  it('is an outage for a transaction, and over for the next one once the network is back', async () => {
    const transact = () =>
      database.transaction().execute(async (transaction) => {
        await one.execute(transaction)
        link.silence()
        await one.execute(transaction)
      })
    await works()
    expect(isOutage(await failureOf(transact()))).toBe(true)
    link.open()
    await works()
  })

  it('is no longer waited for by Postgres either, which gives a statement up a little before we do', async () => {
    await works()
    expect((await sql`SHOW statement_timeout`.execute(database)).rows).toEqual([
      { statement_timeout: '800ms' },
    ])
    const hasty = connectDatabase({
      databaseUrl: own.url,
      poolSize: 1,
      log: quietLog,
      settings: { statement_timeout: '50ms' },
    })
    const error = await failureOf(sql`SELECT pg_sleep(60)`.execute(hasty))
    expect(error).toMatchObject({ code: '57014' })
    expect(isOutage(error)).toBe(true)
    await hasty.destroy()
  })

  it('is nothing that ends a statement of a migration or an operator', async () => {
    const patient = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog })
    expect((await sql`SHOW statement_timeout`.execute(patient)).rows).toEqual([{ statement_timeout: '0' }])
    await patient.destroy()
  })
})
