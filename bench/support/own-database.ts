import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { createLog } from '../../src/runtime/log.ts'
import { findPostgres } from '../../test/support/services.ts'

/** Does `work` on a database that is made for it, with the schema of today, and drops it. */
export const withOwnDatabase = async (
  work: (parts: { databaseUrl: string; say: (text: string) => void }) => Promise<void>,
): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const postgres = await findPostgres({ environment: process.env, dataFolder: '.data/bench', say })
  const name = `gateway_bench_${randomBytes(4).toString('hex')}`
  const databaseUrl = new URL(postgres.url)
  databaseUrl.pathname = `/${name}`
  try {
    await runStatement(postgres.url, `CREATE DATABASE ${name}`)
    await migrateToLatest({ databaseUrl: databaseUrl.href, log: createLog({ name: 'bench', level: 'warn' }) })
    say(`Postgres ${postgres.origin}`)
    await work({ databaseUrl: databaseUrl.href, say })
  } finally {
    await runStatement(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await postgres.stop()
  }
}

const runStatement = async (databaseUrl: string, statement: string): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
