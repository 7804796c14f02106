import { Client } from 'pg'

/** Begins a transaction that sees the database as it is now until it is ended, as a dump does. */
export const holdSnapshot = async (databaseUrl: string): Promise<Client> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await client.query('SELECT FROM payments LIMIT 1')
  return client
}
