/** A process, told apart from any later one with the same pid. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string }

export type ProcessLock = {
  /** Makes the lock last as long as that process too. */
  readonly share: (pid: number) => void
  readonly release: () => void
}

export declare const identify: (pid: number) => ProcessIdentity | null

export declare const isRunning: (identity: ProcessIdentity) => boolean

export declare const takeLock: (
  file: string,
) => { heldBy: null; lock: ProcessLock } | { heldBy: number; lock: null }
