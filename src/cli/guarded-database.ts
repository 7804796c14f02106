import { ANSWER_WITHIN_MS, connectDatabase, type Database } from '../database/connect.ts'
import { type NumberGuard, openNumberGuard } from '../database/mark/number-guard.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'

/**
 * Opens the database for `serve`, each connection behind the guard of its numbers, whose marks are in `SPOOL_DIR`. `name` is
 * this process's alone.
 */
export const openGuardedDatabase = async (options: {
  config: Config<'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'SPOOL_DIR'>
  name: string
  clock: Clock
  log: Log
}): Promise<{ database: Database; guard: NumberGuard }> => {
  const { config, log } = options
  const guard = await openNumberGuard({
    folder: config.SPOOL_DIR,
    name: options.name,
    log,
    clock: options.clock,
    nowMs: () => performance.now(),
  })
  const database = connectDatabase({
    databaseUrl: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    log,
    answerWithinMs: ANSWER_WITHIN_MS,
    mustWrite: true,
    onConnect: guard.onConnect,
  })
  return { database, guard }
}
