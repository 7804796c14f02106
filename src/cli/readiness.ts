import { sql } from 'kysely'
import type { Database } from '../database/connect.ts'
import type { Readiness } from '../runtime/operations-server.ts'

/** How long a look at the database may take before it counts as away, ms. */
const DATABASE_TIMEOUT_MS = 2_000

/**
 * What `/readyz` tells: ready while Postgres answers, for it alone carries the work (the queue only makes it faster), until
 * the process begins to stop. `isStarting`: it is not at work yet.
 */
export const readinessOf = async (options: {
  database: Database
  queueState: () => string
  isStarting?: boolean
  isStopping: boolean
}): Promise<Readiness> => {
  const { isStarting = false, isStopping } = options
  const isUp = await answers(options.database)
  return {
    ready: isUp && !isStarting && !isStopping,
    parts: {
      database: isUp ? 'ok' : 'away',
      queue: options.queueState(),
      ...(isStarting && { process: 'starting' }),
      ...(isStopping && { process: 'stopping' }),
    },
  }
}

const answers = async (database: Database): Promise<boolean> => {
  const late = new Promise<boolean>((resolve) => {
    setTimeout(() => resolve(false), DATABASE_TIMEOUT_MS).unref()
  })
  const asked = sql`SELECT 1`.execute(database).then(
    () => true,
    () => false,
  )
  return Promise.race([asked, late])
}
