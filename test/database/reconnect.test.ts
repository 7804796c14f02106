import { sql } from 'kysely'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { migrateBack, migrateToLatest } from '../../src/database/migrate.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

describe('connections that are older than the schema', () => {
  let own: OpenDatabase
  let database: Database
  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 1 })
    database = own.database
    await migrateBack({ databaseUrl: own.url, log: quietLog, to: '012-limits' })
  })
  afterAll(() => own.close())

  const connect = async (name: string): Promise<{ client: Client; ended: () => boolean }> => {
    const client = new Client({ connectionString: own.url, application_name: name })
    let hasEnded = false
    client.on('error', () => undefined).on('end', () => (hasEnded = true))
    await client.connect()
    return { client, ended: () => hasEnded }
  }

  it('of release 0.1.0 end with the migration, and no others', async () => {
    const before = await sql`SELECT pg_backend_pid() AS pid`.execute(database)
    const [old, tool] = [await connect(''), await connect('pg_dump')]
    await migrateToLatest({ databaseUrl: own.url, log: quietLog })
    await expect(old.client.query('SELECT 1')).rejects.toThrow()
    expect(old.ended()).toBe(true)
    expect((await tool.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    expect((await sql`SELECT pg_backend_pid() AS pid`.execute(database)).rows).toEqual(before.rows)
    await tool.client.end()
  })
})
