import { sql } from 'kysely'
import type { Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import type { Alarm } from '../database/mark/mark.ts'
import { textOfAlarm } from '../database/mark/report-alarm.ts'
import { DatabaseReadOnly } from '../database/outage.ts'
import type { DeliveryQueue } from '../queue/delivery-queue.ts'
import { showReading } from '../runtime/metrics.ts'
import type { Readiness } from '../runtime/operations-server.ts'
import { inTime } from '../runtime/time-limit.ts'

/** How long a look at the database may take before it counts as away, ms. */
const DATABASE_TIMEOUT_MS = 2_000

/**
 * The answer of `/readyz`: ready while Postgres answers, for it alone carries the work (the queue only makes it
 * faster), until the process begins to stop. `isStarting`: its loops do not run yet. A restored database is reported,
 * and counts as ready.
 */
export const readinessOf = async (options: {
  database: Database
  /** Left out: the process has nothing to do with it. */
  queue?: Pick<DeliveryQueue, 'state'> | null
  /** What is wrong with the database's numbers; null: nothing. */
  alarm?: Alarm | null
  isStarting?: boolean
  isStopping: boolean
}): Promise<Readiness> => {
  const { queue, alarm = null, isStarting = false, isStopping } = options
  const problem = await problemOf(options.database)
  return {
    ready: problem === null && !isStarting && !isStopping,
    parts: {
      database: problem === null ? 'ok' : 'away',
      ...(problem !== null && { database_trouble: problem }),
      ...(queue !== undefined && { queue: queue?.state() ?? 'none' }),
      ...(alarm && { numbers: textOfAlarm(alarm) }),
      ...(isStarting && { process: 'starting' }),
      ...(isStopping && { process: 'stopping' }),
    },
  }
}

/** Shows whether Postgres can be used by this process, as `/readyz` judges it. */
export const showDatabase = (registry: Registry, database: Database): void =>
  showReading(registry, () => problemOf(database), [
    {
      name: 'gateway_database_up',
      help: '1 while this process can write to Postgres; 0 while Postgres is away, or may only be read',
      samples: (problem) => [{ value: problem === null ? 1 : 0 }],
    },
  ])

/** Why the database cannot be used, for operators; null: it can. A session that may only read is of no use. */
const problemOf = async (database: Database): Promise<string | null> => {
  try {
    const late = (): Error => new Error(`no answer within ${DATABASE_TIMEOUT_MS} ms`)
    await inTime(requireWritable(database), DATABASE_TIMEOUT_MS, late)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const requireWritable = async (database: Database): Promise<void> => {
  const { rows } = await sql<{ transaction_read_only: string }>`SHOW transaction_read_only`.execute(database)
  if (rows[0]?.transaction_read_only === 'on') throw new DatabaseReadOnly()
}
