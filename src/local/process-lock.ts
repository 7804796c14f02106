import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { identify, isRunning, type ProcessIdentity } from '../runtime/process-identity.ts'

const holders = z.array(z.object({ pid: z.number(), startedAt: z.string() }))

const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/**
 * Takes the lock that is `file` for this process, at once or not at all; one whose process is gone is taken over.
 * Returns how to give it back, or the pid of the running process that has it.
 */
export const takeLock = (
  file: string,
): { heldBy: null; release: () => void } | { heldBy: number; release: null } => {
  const own = `${file}.${process.pid}`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(own, JSON.stringify([identify(process.pid)]))
  try {
    for (;;) {
      // A link appears with its whole content, or not at all.
      if (link(own, file)) return { heldBy: null, release: () => rmSync(file, { force: true }) }
      const holder = runningHolder(file)
      if (holder !== null) return { heldBy: holder.pid, release: null }
      removeStale(file)
    }
  } finally {
    rmSync(own, { force: true })
  }
}

/** False when the file is there already. */
const link = (own: string, file: string): boolean => {
  try {
    linkSync(own, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** The running process that has the lock of the file; null when it is gone, or the file holds no lock. */
const runningHolder = (file: string): ProcessIdentity | null => {
  try {
    return holders.parse(JSON.parse(readFileSync(file, 'utf8'))).find(isRunning) ?? null
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError || hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/**
 * Removes a lock whose process is gone. It may be a running process's by the time it is moved: then it is moved back.
 */
const removeStale = (file: string): void => {
  const moved = `${file}.${process.pid}.stale`
  try {
    renameSync(file, moved)
    if (runningHolder(moved) !== null) linkSync(moved, file)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EEXIST')) throw error
  } finally {
    rmSync(moved, { force: true })
  }
}
