import type { Log } from '../../runtime/log.ts'

/** Whether Postgres takes callbacks at present, as far as this process knows. */
export type Presence = {
  isAway(): boolean
  /** Says that Postgres failed or kept waiting: from now on callbacks go to the spool at once. */
  lost(cause: unknown): void
  /** Says that Postgres took something: from now on callbacks go there again. */
  found(): void
}

/** Remembers an outage, so that only the callbacks at its beginning wait for it; one line of the log at each end. */
export const createPresence = (options: { log: Log; nowMs: () => number }): Presence => {
  let awaySinceMs: number | null = null
  return {
    isAway: () => awaySinceMs !== null,
    lost: (cause) => {
      if (awaySinceMs !== null) return
      awaySinceMs = options.nowMs()
      options.log.warn({ event: 'callbacks_to_spool', err: cause })
    },
    found: () => {
      if (awaySinceMs === null) return
      const afterMs = Math.round(options.nowMs() - awaySinceMs)
      awaySinceMs = null
      options.log.info({ event: 'callbacks_to_database', after_ms: afterMs })
    },
  }
}
