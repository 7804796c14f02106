import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { givenRows, givenRowsInOrder } from '../../src/database/given-rows.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'

const ROWS = [
  { id: 7n, state: 'accepted', receipt: null, pauseMs: 1.5 },
  { id: 3n, state: 'failed', receipt: 'ABC', pauseMs: 2 },
] as const

const given = (rows: readonly (typeof ROWS)[number][]) =>
  givenRows(rows, {
    id: ['payments.id', (row) => row.id],
    state: ['payments.state', (row) => row.state],
    receipt: ['payments.receipt', (row) => row.receipt],
    pause_ms: ['float8', (row) => row.pauseMs],
  })

describe('given rows', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 1 })
    database = own.database
  })
  afterAll(() => own.close())

  it('are a table in a raw statement', async () => {
    const { rows } = await sql`SELECT id, state, receipt, pause_ms AS "pauseMs" FROM ${given(ROWS)}`.execute(
      database,
    )
    expect(rows).toEqual(ROWS)
  })

  it('are a table in a statement of the builder', async () => {
    const query = database.selectFrom(given(ROWS)).select(['given.id', 'pause_ms']).orderBy('given.id')
    expect(await query.execute()).toEqual([
      { id: 3n, pause_ms: 2 },
      { id: 7n, pause_ms: 1.5 },
    ])
  })

  it('have their positions where these are asked for', async () => {
    const ordered = givenRowsInOrder(['b', 'a'], { name: ['text', (name) => name] })
    const query = database.selectFrom(ordered).selectAll().orderBy('name')
    expect(await query.execute()).toEqual([
      { name: 'a', position: 2n },
      { name: 'b', position: 1n },
    ])
  })

  it('make the same text, with the types of the schema, however many they are', () => {
    const text = (rows: readonly (typeof ROWS)[number][]) =>
      database.selectFrom(given(rows)).selectAll().compile().sql
    expect(text(ROWS)).toBe(text([]))
    expect(text([])).toBe(
      'select * from unnest($1::int8[], $2::payment_state[], $3::text[], $4::float8[]) as given (id, state, receipt, pause_ms)',
    )
  })

  it('are refused by the compiler where the schema has no such column, or another type', () => {
    const refused = [
      // @ts-expect-error payments have no such column
      () => givenRows([1n], { id: ['payments.number', (id) => id] }),
      // @ts-expect-error ids are bigint
      () => givenRows([1], { id: ['payments.id', (id) => id] }),
      // @ts-expect-error an id is never null
      () => givenRows([null], { id: ['payments.id', (id) => id] }),
    ]
    expect(refused).toHaveLength(3)
  })
})
