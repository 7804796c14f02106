import { type Selectable, sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import type { TotalsSummedTable } from '../../database/schema/totals.ts'

/** How far payments were summed before a round. */
export type Summed = Omit<Selectable<TotalsSummedTable>, 'only_one'>

/** How far a round sums, and what is left behind it. */
export type Round = Pick<Summed, 'events_to' | 'filled_to' | 'mark_position' | 'mark_at' | 'summed_to'> & {
  /** There are more events than it takes. */
  is_behind: boolean
  /** Whether all that was there before the first round is summed, and whether something of it was left before this one. */
  is_filled: boolean
  was_filling: boolean
}

/** Null: another process sums just now, or begins to. */
export const lockSummed = async (transaction: Transaction<Schema>): Promise<Summed | null> => {
  const locked = () =>
    transaction
      .selectFrom('totals_summed')
      .select([
        'begun_position',
        'events_to',
        'filled_to',
        'fill_end',
        'mark_position',
        'mark_at',
        'summed_to',
      ])
      .forUpdate()
      .skipLocked()
      .executeTakeFirst()
  const known = await locked()
  if (known !== undefined) return known
  // Whatever succeeded below the horizon is committed, and so its payment is among those that this statement sees.
  await sql`
    INSERT INTO totals_summed (begun_position, events_to, filled_to, fill_end, mark_position, mark_at)
    SELECT event_horizon(), event_horizon(),
           coalesce((SELECT id FROM payments ORDER BY id LIMIT 1), 0),
           coalesce((SELECT id + 1 FROM payments ORDER BY id DESC LIMIT 1), 0),
           current_event_position(), now()
    ON CONFLICT DO NOTHING
  `.execute(transaction)
  return (await locked()) ?? null
}

/**
 * Up to where this round sums. The transaction has its number since it locked the row. Whatever was committed before an
 * instant at which a transaction had no number yet has a lower one than it, or had ended: so once the horizon has come up
 * to that number, all of it is summed.
 */
export const readRound = async (
  transaction: Transaction<Schema>,
  from: Summed,
  { mostPositions, mostPayments }: { mostPositions: number; mostPayments: number },
): Promise<Round> => {
  const { filled_to: filledTo, fill_end: fillEnd } = from
  const { rows } = await sql<Round>`
    SELECT events_to, filled_to, events_to < horizon AS is_behind, filled_to >= ${fillEnd}::bigint AS is_filled,
           ${filledTo}::bigint < ${fillEnd}::bigint AS was_filling,
           CASE WHEN events_to >= own THEN now() WHEN is_marked THEN ${from.mark_at}::timestamptz
             ELSE ${from.summed_to}::timestamptz END AS summed_to,
           CASE WHEN is_marked THEN own ELSE ${from.mark_position}::bigint END AS mark_position,
           CASE WHEN is_marked THEN now() ELSE ${from.mark_at}::timestamptz END AS mark_at
    FROM (SELECT event_horizon() AS horizon, current_event_position() AS own) numbers
    CROSS JOIN LATERAL (SELECT least(horizon, ${from.events_to}::bigint + ${mostPositions}) AS events_to) ends
    CROSS JOIN LATERAL (SELECT events_to >= ${from.mark_position}::bigint AS is_marked) marked
    CROSS JOIN (
      SELECT least(${fillEnd}::bigint, coalesce(
        (SELECT id FROM payments WHERE id >= ${filledTo}::bigint ORDER BY id OFFSET ${mostPayments} LIMIT 1),
        ${fillEnd}::bigint
      )) AS filled_to
    ) filling
  `.execute(transaction)
  const [round] = rows
  if (!round) throw new Error('a SELECT of one row gave none')
  return round
}

export const moveOn = async (transaction: Transaction<Schema>, round: Round): Promise<void> => {
  const { events_to, filled_to, mark_position, mark_at, summed_to } = round
  await transaction
    .updateTable('totals_summed')
    .set({ events_to, filled_to, mark_position, mark_at, summed_to })
    .execute()
}
