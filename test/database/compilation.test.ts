import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { connectDatabase } from '../../src/database/connect.ts'
import { createTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

it('a statement is never compiled, however much its plan is said to cost', async () => {
  await using open = new AsyncDisposableStack()
  const { url: databaseUrl } = open.adopt(await createTestDatabase(), (one) => one.drop())
  // With this, as `dispatch` has it, whatever reads a small table as a whole is said to cost ten thousand million.
  const settings = { enable_seqscan: 'off' }
  const database = open.adopt(connectDatabase({ databaseUrl, poolSize: 1, log: quietLog, settings }), (one) =>
    one.destroy(),
  )
  const { rows } = await sql`EXPLAIN (ANALYZE) SELECT * FROM endpoints WHERE failures > 1`.execute(database)
  expect(JSON.stringify(rows)).not.toContain('JIT')
})
