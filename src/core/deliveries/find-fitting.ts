import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { DeliveryFilter } from './filter.ts'
import { findRange, lookedAt } from './looked-at.ts'

/** Deliveries that one statement looks at. */
const PIECE = 2_000

/**
 * Finds all deliveries that fit, the oldest first, a piece of those that could a statement: none takes long, however many
 * there are and however few fit. Yields the ids of a piece; what is added meanwhile with a larger id is found too.
 */
export const findFitting = async function* (
  database: Database,
  filter: DeliveryFilter,
  piece = PIECE,
): AsyncGenerator<bigint[]> {
  for (let after = 0n; ; ) {
    const rows = await look(database, filter, { after, piece })
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.filter(({ fitting }) => fitting !== null).map(({ id }) => id)
    if (rows.length < piece) return
    after = last.id
  }
}

const look = (
  database: Database,
  filter: DeliveryFilter,
  { after, piece }: { after: bigint; piece: number },
): Promise<(RowOf<'deliveries', 'id'> & { fitting: number | null })[]> =>
  planByIndex(database, async (transaction) => {
    const { from, below } = await findRange(transaction, filter)
    const reach = { from: from > after ? from : after + 1n, below, most: piece, first: 'oldest' as const }
    const { rows } = await sql<RowOf<'deliveries', 'id'> & { fitting: number | null }>`
      SELECT id, fitting FROM (${lookedAt(filter, reach)}) looked ORDER BY id
    `.execute(transaction)
    return rows
  })
