import { sql } from 'kysely'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import type { Database } from './connect.ts'
import { isOutage } from './outage.ts'

/** How often Postgres is asked for its time, ms: between two answers monotonic time goes on, which hardly drifts. */
const ASK_EVERY_MS = 30_000

/** An answer that took longer says too little of the instant it is of, ms. */
const SLOW_MS = 1_000

/** From when on the machine's own clock counts as wrong, ms. */
const OFF_BY_MS = 5_000

/** A clock that goes by that of Postgres. */
export type DatabaseClock = {
  clock: Clock
  /** Asks Postgres for its time; rejects when it does not answer. */
  ask(database: Database): Promise<void>
}

/**
 * Makes a clock that shows the time of Postgres, by which every schedule goes, so that replicas whose own clocks are
 * apart, or are set while they run, mean the same instant. It shows the machine's `own` time until Postgres has
 * answered, and goes on by `nowMs`, a monotonic time in ms, while that is away.
 */
export const createDatabaseClock = (options: {
  own: Clock
  nowMs: () => number
  log: Log
}): DatabaseClock => {
  const { own, nowMs, log } = options
  let aheadMs: number | null = null
  let wasOff = false

  const ask = async (database: Database): Promise<void> => {
    const askedMs = nowMs()
    const databaseMs = await readTime(database)
    const tookMs = nowMs() - askedMs
    if (tookMs > SLOW_MS && aheadMs !== null) return
    aheadMs = databaseMs - (askedMs + tookMs / 2)
    const offByMs = Math.round(own().getTime() - databaseMs)
    const isOff = Math.abs(offByMs) > OFF_BY_MS + tookMs
    if (isOff && !wasOff) log.warn({ event: 'clock_is_off', by_ms: offByMs })
    wasOff = isOff
  }

  return { clock: () => (aheadMs === null ? own() : new Date(nowMs() + aheadMs)), ask }
}

/** Keeps the clock in step. */
export const startFollowingClock = (options: { time: DatabaseClock; database: Database; log: Log }): Loop =>
  startLoop({
    name: 'clock',
    idleMs: ASK_EVERY_MS,
    round: async () => {
      await options.time.ask(options.database)
      return false
    },
    isOutage,
    log: options.log,
  })

const readTime = async (database: Database): Promise<number> => {
  const { rows } = await sql<{ now_ms: number }>`
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
  `.execute(database)
  const [row] = rows
  if (!row) throw new Error('Postgres did not return its time')
  return row.now_ms
}
