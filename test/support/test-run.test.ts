import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { createTestDatabase } from './database.ts'
import { openTestRun, runStatement, testDatabaseName } from './test-run.ts'

const databaseUrl = inject('databaseUrl')
const newRunName = (): string => randomBytes(4).toString('hex')

const countRows = async (url: string, text: string, values: unknown[] = []): Promise<number | null> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text, values)).rowCount
  } finally {
    await client.end()
  }
}

const exists = async (name: string): Promise<boolean> =>
  (await countRows(databaseUrl, 'SELECT FROM pg_database WHERE datname = $1', [name])) === 1

describe('the databases of a test run', () => {
  it('are dropped by the next run when their own was killed, and not while it lives', async () => {
    const alive = await openTestRun({ databaseUrl, runName: newRunName() })
    await alive.createTemplate(() => Promise.resolve())
    const abandoned = testDatabaseName(newRunName(), 'template')
    await runStatement(databaseUrl, `CREATE DATABASE ${abandoned}`)

    const next = await openTestRun({ databaseUrl, runName: newRunName() })
    expect(await exists(abandoned)).toBe(false)
    expect(await exists(alive.templateName)).toBe(true)
    await alive.close()
    await next.close()
    expect(await exists(alive.templateName)).toBe(false)
  })

  it('are cloned many at once, migrated and empty, and dropped with connections open', async () => {
    const databases = await Promise.all(Array.from({ length: 8 }, createTestDatabase))
    for (const { url } of databases) expect(await countRows(url, 'SELECT FROM payments')).toBe(0)
    const left = new Client({ connectionString: databases[0]?.url })
    left.on('error', () => undefined)
    await left.connect()
    await Promise.all(databases.map(({ drop }) => drop()))
    for (const { url } of databases) expect(await exists(new URL(url).pathname.slice(1))).toBe(false)
  })
})
