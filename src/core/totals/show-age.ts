import { sql } from 'kysely'
import type { Registry } from 'prom-client'
import type { Database } from '../../database/connect.ts'
import { showReading } from '../../runtime/metrics.ts'

/**
 * Shows how long ago it is until when what was paid is summed. While that is not known yet, right after the first round, it
 * is how long ago that was; before it there is no sample.
 */
export const addTotalsAge = (registry: Registry, database: Database): void =>
  showReading(registry, () => readAge(database), [
    {
      name: 'gateway_totals_age_seconds',
      help: 'How long ago it is until when what was paid is summed',
      samples: (age) => (age === null ? [] : [{ value: age }]),
    },
  ])

/** In seconds; null: nothing was ever summed. */
const readAge = async (database: Database): Promise<number | null> => {
  const { rows } = await sql<{ age: number }>`
    SELECT greatest(0, extract(epoch FROM now() - coalesce(summed_to, mark_at)))::float8 AS age FROM totals_summed
  `.execute(database)
  return rows[0]?.age ?? null
}
