import type { Log } from '../../runtime/log.ts'

/** Whether Postgres takes callbacks at present, as far as this process knows. */
export type DatabaseAvailability = {
  isDown(): boolean
  /** Call when a write failed or timed out. Until `markUp`, callbacks go to the spool without trying Postgres. */
  markDown(cause: unknown): void
  /** Call when Postgres took something: from now on callbacks go there again. */
  markUp(): void
}

/** Remembers an outage, so that only the callbacks at its beginning wait for it; one line of the log at each end. */
export const createDatabaseAvailability = (options: {
  log: Log
  nowMs: () => number
}): DatabaseAvailability => {
  let downSinceMs: number | null = null
  return {
    isDown: () => downSinceMs !== null,
    markDown: (cause) => {
      if (downSinceMs !== null) return
      downSinceMs = options.nowMs()
      options.log.warn({ event: 'callbacks_to_spool', err: cause })
    },
    markUp: () => {
      if (downSinceMs === null) return
      const afterMs = Math.round(options.nowMs() - downSinceMs)
      downSinceMs = null
      options.log.info({ event: 'callbacks_to_database', after_ms: afterMs })
    },
  }
}
