import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { identify, isRunning, type ProcessIdentity } from '../runtime/process-identity.ts'

const holders = z.array(z.object({ pid: z.number(), startedAt: z.string() }))

const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** The running process that has the lock of the file; null when it is gone, or the file holds no lock. */
const runningHolder = (file: string): ProcessIdentity | null => {
  try {
    return holders.parse(JSON.parse(readFileSync(file, 'utf8'))).find(isRunning) ?? null
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError || hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** Creates the file with its content at once; false when it is there already. */
const create = (file: string, content: string): boolean => {
  const own = `${file}.${process.pid}`
  writeFileSync(own, content)
  try {
    linkSync(own, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    rmSync(own, { force: true })
  }
}

/** Removes a lock whose process is gone. It may be a running process's by the time it is moved: then it is moved back. */
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

/**
 * Takes the lock that is `file` for this process, at once or not at all; one whose process is gone is taken over. Returns how
 * to give it back, or the pid of the running process that has it.
 */
export const takeLock = (
  file: string,
): { heldBy: null; release: () => void } | { heldBy: number; release: null } => {
  mkdirSync(dirname(file), { recursive: true })
  for (;;) {
    if (create(file, JSON.stringify([identify(process.pid)])))
      return { heldBy: null, release: () => rmSync(file, { force: true }) }
    const holder = runningHolder(file)
    if (holder !== null) return { heldBy: holder.pid, release: null }
    removeStale(file)
  }
}
