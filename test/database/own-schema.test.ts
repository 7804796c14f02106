import { sql } from 'kysely'
import { expect, it, onTestFinished } from 'vitest'
import { areIndexesBuilt } from '../../src/database/build-indexes.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { readFound } from '../../src/database/mark/read-found.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { startOwnPostgres } from '../support/own-server.ts'
import { quietLog } from '../support/quiet-log.ts'
import { runStatement } from '../support/test-run.ts'

it('the tables are in the schema that an administrator gave, and so is all that is looked for among them', async () => {
  const own = await startOwnPostgres()
  onTestFinished(() => own.close())
  const migrate = () => migrateToLatest({ databaseUrl: own.url, log: quietLog })
  await runStatement(own.url, 'ALTER DATABASE postgres SET search_path = gateway')
  await expect(migrate()).rejects.toThrow('no schema has been selected to create in')
  await runStatement(own.url, 'CREATE SCHEMA gateway')
  await migrate()
  const database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog })
  onTestFinished(() => database.destroy())
  const { rows } = await sql<{ schema: string; owners: string[] }>`
    SELECT nspname AS schema, array_agg(DISTINCT rolname::text ORDER BY rolname::text) AS owners
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_roles ON pg_roles.oid = relowner
    WHERE relkind = 'p' AND relname NOT LIKE 'audit%' AND nspname !~ '^(pg_|information_schema)' GROUP BY 1
  `.execute(database)
  expect(rows).toEqual([{ schema: 'gateway', owners: ['mpesa_gateway_app'] }])
  expect(Object.keys((await readFound(database, null))?.numbers ?? {})).toContain('payments_id_seq')
  expect(await areIndexesBuilt(database)).toBe(true)
  await sql`CREATE INDEX payments_amount ON ONLY payments (amount_kes)`.execute(database)
  expect(await areIndexesBuilt(database)).toBe(false)
  await migrate()
  expect(await areIndexesBuilt(database)).toBe(true)
})
