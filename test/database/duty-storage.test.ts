import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { openTestDatabase } from '../support/database.ts'

/** Dead rows of a table of duties after which autovacuum takes it, whatever Postgres believes of its size. */
const THRESHOLD = 5_000

it('has the tables of duties vacuumed by a count of dead rows, not by a part of what they held', async () => {
  await using open = new AsyncDisposableStack()
  const own = open.adopt(await openTestDatabase({ poolSize: 1 }), (one) => one.close())
  const { rows } = await sql<{ name: string; options: string[] }>`
    SELECT relname AS name, coalesce(reloptions, '{}') AS options
    FROM pg_class WHERE relkind = 'r' AND relname LIKE 'to\\_%' ORDER BY relname
  `.execute(own.database)
  expect(rows.map(({ name }) => name)).toEqual([
    'to_confirm',
    'to_deliver',
    'to_interpret',
    'to_query',
    'to_submit',
  ])
  for (const { name, options } of rows) {
    expect(options, name).toContain('autovacuum_vacuum_scale_factor=0')
    expect(options, name).toContain(`autovacuum_vacuum_threshold=${THRESHOLD}`)
  }
})
