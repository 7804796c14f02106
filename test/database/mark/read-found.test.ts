import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { connectDatabase } from '../../../src/database/connect.ts'
import { readFound } from '../../../src/database/mark/read-found.ts'
import { createTestDatabase } from '../../support/database.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL } from '../../support/explain.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** As many as partitions of some twenty years. */
const TABLES = 300

/** For each number that is looked at, by each process each second: its name, its sequence and what it stands at. */
const BLOCKS_A_NUMBER = 6

it('what a database says of itself costs a few blocks, however many tables there are', async () => {
  await using open = new AsyncDisposableStack()
  const own = open.adopt(await createTestDatabase(), (one) => one.drop())
  const explained = collectPlans()
  const settings = EXPLAIN_ALL
  const database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog, settings })
  open.defer(() => database.destroy())
  await sql`
    DO $$ BEGIN FOR number IN 1..${sql.lit(TABLES)} LOOP EXECUTE format('CREATE TABLE many_%s (id bigint)', number); END LOOP; END $$
  `.execute(database)
  // The first on a connection also reads what is kept of the catalog from then on.
  await readFound(database, null)
  explained.length = 0
  const found = await readFound(database, null)
  const numbers = Object.keys(found?.numbers ?? {})
  expect(numbers).toContain('payments_id_seq')
  expect(explained).toHaveLength(1)
  for (const one of explained) expect(blocksOf(one)).toBeLessThan(BLOCKS_A_NUMBER * numbers.length)
})
