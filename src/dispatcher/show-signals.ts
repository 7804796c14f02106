import { sql } from 'kysely'
import type { Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import { showReading } from '../runtime/metrics.ts'
import { OPERATORS_ID } from '../values/test-partner.ts'

/** Shows the signals that operators have not got yet; asked of Postgres, as the backlog of deliveries is. */
export const showSignals = (registry: Registry, database: Database): void =>
  showReading(registry, () => readSignals(database), [
    {
      name: 'gateway_open_signals',
      help: 'Signals to operators that were not delivered yet; they wait for SIGNAL_URL to answer',
      samples: ({ open }) => [{ value: open }],
    },
    {
      name: 'gateway_oldest_open_signal_age_seconds',
      help: 'How long ago the signal was written that has waited longest; 0 when none waits',
      samples: ({ ageSeconds }) => [{ value: ageSeconds }],
    },
  ])

type OpenSignals = { open: number; ageSeconds: number }

const readSignals = async (database: Database): Promise<OpenSignals> => {
  const { rows } = await sql<OpenSignals>`
    SELECT open.count AS open,
           greatest(0, coalesce(extract(epoch FROM now() - deliveries.created_at), 0))::float8 AS "ageSeconds"
    FROM (
      SELECT count(*)::int, min(delivery_id) AS oldest_id FROM to_deliver
      WHERE partner_id = ${sql.lit(Number(OPERATORS_ID))}
    ) open LEFT JOIN deliveries ON deliveries.id = open.oldest_id
  `.execute(database)
  return rows[0] ?? { open: 0, ageSeconds: 0 }
}
