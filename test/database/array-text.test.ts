import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'

const NOTHING = null

const ARRAYS = {
  int8: [1n, -9_223_372_036_854_775_808n, NOTHING],
  float8: [0.1, -1e300, Number.NaN, Number.POSITIVE_INFINITY, NOTHING],
  bool: [true, false, NOTHING],
  text: ['', 'NULL', '{"a",\\b}', "'", ' blank ', '\n\t', '"', '\\', '\\"', 'Wanjikũ 👍', 'a,b', NOTHING],
  bytea: [Buffer.from([0, 1, 92, 255]), Buffer.alloc(0), NOTHING],
  timestamptz: [new Date('2026-05-04T18:04:28.123Z'), NOTHING],
}

describe('an array that a statement is given', () => {
  let own: OpenDatabase

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 1 })
  })
  afterAll(() => own.close())

  it.each(Object.entries(ARRAYS))('has its elements in Postgres: %s', async (type, elements) => {
    const { rows } = await sql<{ element: unknown }>`
      SELECT element FROM unnest(${elements}::${sql.raw(type)}[]) AS given (element)
    `.execute(own.database)
    expect(rows.map(({ element }) => element)).toEqual(elements)
  })

  it('may be empty', async () => {
    const { rows } = await sql`SELECT cardinality(${[]}::text[]) AS count`.execute(own.database)
    expect(rows).toEqual([{ count: 0 }])
  })
})
