import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { connectDatabase } from '../../src/database/connect.ts'
import { createTestDatabase } from './database.ts'
import { startDatabaseClock } from './database-clock.ts'
import { addDelivery, readDelivery } from './deliveries.ts'
import { quietLog } from './quiet-log.ts'

it('a database’s clock can be put forward, for every statement and every default', async () => {
  const { url, drop } = await createTestDatabase()
  const clock = await startDatabaseClock(url)
  const database = connectDatabase({ databaseUrl: url, poolSize: 2, log: quietLog })
  try {
    const aheadMinutes = async (): Promise<number> => {
      const { rows } = await sql<{ minutes: number }>`
        SELECT round(extract(epoch FROM now() - pg_catalog.now()) / 60)::int AS minutes
      `.execute(database)
      return rows[0]?.minutes ?? Number.NaN
    }
    expect(await aheadMinutes()).toBe(0)
    await clock.advance(3_600)
    expect(await aheadMinutes()).toBe(60)
    const { created_at } = await readDelivery(database, await addDelivery(database, 'https://shop.co.ke/'))
    expect(created_at.getTime() - Date.now()).toBeGreaterThan(3_500_000)
    expect((await clock.now()).getTime()).toBeGreaterThanOrEqual(created_at.getTime())
  } finally {
    await Promise.all([clock.close(), database.destroy()])
    await drop()
  }
})
