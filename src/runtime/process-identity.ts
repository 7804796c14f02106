import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process, distinguished from any later one with the same pid. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string }

/** When a process started, as its system writes it; null when it is gone. */
const startOf = (pid: number): string | null => {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return stdout.trim() || null
  }
  try {
    // Field 2, the name in brackets, may hold blanks and brackets: count from the last bracket. 3 is the state, 22 the
    // start in ticks since boot.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return fields[0] === 'Z' ? null : `${bootId} ${fields[19]}`
  } catch {
    return null
  }
}

/** Names a running process so that a later process with the same pid is not taken for it; null when there is none. */
export const identify = (pid: number): ProcessIdentity | null => {
  const startedAt = startOf(pid)
  return startedAt === null ? null : { pid, startedAt }
}

/** Whether the process that `identify` named still runs. */
export const isRunning = (identity: ProcessIdentity): boolean => startOf(identity.pid) === identity.startedAt
