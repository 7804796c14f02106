import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { createLog } from '../../src/runtime/log.ts'

export type TestDatabase = { url: string; drop(): Promise<void> }

export const createTestDatabase = async (): Promise<TestDatabase> => {
  const name = `gateway_test_${randomBytes(8).toString('hex')}`
  const admin = async (statement: string) => {
    const client = new Client('postgres://postgres@127.0.0.1:5432/postgres')
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await admin(`CREATE DATABASE ${name}`)
  const url = `postgres://postgres@127.0.0.1:5432/${name}`
  await migrateToLatest({ databaseUrl: url, log: createLog({ name: 'test', level: 'warn' }) })
  return { url, drop: () => admin(`DROP DATABASE ${name} WITH (FORCE)`) }
}
