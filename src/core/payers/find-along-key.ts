import { type RawBuilder, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { Schema } from '../../database/schema/schema.ts'

/** Rows that one statement comes past: it takes tens of milliseconds, and the limit of a statement is 24 seconds. */
export const PIECE = 10_000

/**
 * Finds the rows that fit among all of a table, or all `within` a part of its key, where no index leads to them: along the
 * key, a piece a statement, so that none takes long and none keeps for long what dies meanwhile. A row that is added
 * meanwhile behind where it is looked is not found. Yields the keys of a piece, in their order.
 */
export const findAlongKey = async function* <Key extends Record<string, unknown>>(options: {
  database: Database
  table: keyof Schema
  /** Columns of an index, by which no two rows are the same; after those that `within` compares with. */
  key: readonly (keyof Key & string)[]
  within?: RawBuilder<unknown>
  fits: RawBuilder<unknown>
  /** After this key; null: from the first. */
  after?: Key | null
  piece?: number
}): AsyncGenerator<Key[]> {
  const { database, table, key, within = sql`true`, fits, piece = PIECE } = options
  const columns = sql.join(key.map((name) => sql.ref(name)))
  let { after = null } = options
  for (;;) {
    const isAfter = after === null ? sql`true` : isAbove(columns, key, after)
    const statement = sql<Key & { fits: boolean }>`
      SELECT ${columns}, fits FROM (
        SELECT ${columns}, fits, lead(true) OVER (ORDER BY ${columns}) IS NULL AS is_last FROM (
          SELECT ${columns}, coalesce(${fits}, false) AS fits FROM ${sql.table(table)}
          WHERE ${within} AND ${isAfter} ORDER BY ${columns} LIMIT ${piece}
        ) piece
      ) judged WHERE fits OR is_last ORDER BY ${columns}
    `
    const { rows } = await planByIndex(database, (transaction) => statement.execute(transaction))
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.filter((row) => row.fits)
    after = last
  }
}

const isAbove = <Key extends Record<string, unknown>>(
  columns: RawBuilder<unknown>,
  key: readonly (keyof Key & string)[],
  after: Key,
): RawBuilder<unknown> => sql`(${columns}) > (${sql.join(key.map((name) => after[name]))})`
