import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { connectDatabase } from '../../src/database/connect.ts'
import { migrateBack, migrateToLatest } from '../../src/database/migrate.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { quietLog } from '../support/quiet-log.ts'

it('migrations that wait for what waits for them begin again, and run', async () => {
  await using open = new AsyncDisposableStack()
  const own = open.adopt(await createTestDatabase(), (one) => one.drop())
  const migration = { databaseUrl: own.url, log: quietLog }
  await migrateBack({ ...migration, to: '025-operators' })
  const database = open.adopt(connectDatabase({ databaseUrl: own.url, poolSize: 2, log: quietLog }), (one) =>
    one.destroy(),
  )
  const beside = await database.startTransaction().execute()
  await sql`SELECT FROM dead_letters LIMIT 1`.execute(beside)
  // They have changed payment_findings, and come to dead_letters.
  const migrating = migrateToLatest(migration)
  await eventually(async () => {
    const { rows } = await sql`
      SELECT FROM pg_locks WHERE NOT granted AND relation = 'dead_letters'::regclass
    `.execute(database)
    expect(rows).toHaveLength(1)
  })
  // Postgres ends who has waited longer.
  await sql`SELECT FROM payment_findings LIMIT 1`.execute(beside)
  await beside.commit().execute()
  expect(await migrating).toContain('028-signals')
})

it('migrations that would wait for a transaction that lasts keep nobody from its table, and run once it has ended', async () => {
  await using open = new AsyncDisposableStack()
  const own = open.adopt(await createTestDatabase(), (one) => one.drop())
  const migration = { databaseUrl: own.url, log: quietLog }
  await migrateBack({ ...migration, to: '025-operators' })
  const database = open.adopt(connectDatabase({ databaseUrl: own.url, poolSize: 3, log: quietLog }), (one) =>
    one.destroy(),
  )
  // As pg_dump reads every table, for as long as it takes.
  const beside = await database.startTransaction().execute()
  await sql`SELECT FROM dead_letters LIMIT 1`.execute(beside)
  const migrating = migrateToLatest(migration)
  await eventually(async () => {
    const { rows } = await sql`
      SELECT FROM pg_locks WHERE NOT granted AND relation = 'dead_letters'::regclass
    `.execute(database)
    expect(rows).toHaveLength(1)
  })
  await sql`SELECT FROM dead_letters LIMIT 1`.execute(database)
  await sql`SELECT FROM dead_letters LIMIT 1`.execute(beside)
  await beside.commit().execute()
  expect(await migrating).toContain('028-signals')
})
