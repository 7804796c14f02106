import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

// Plain JavaScript for an old Node: `run.mjs` needs it before anything is installed. Types: process-lock.d.mts.

/** When a process started, in words of its system, or null when it is gone. With its pid that names it for good. */
const startOf = (pid) => {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return (stdout || '').trim() || null
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
export const identify = (pid) => {
  const startedAt = startOf(pid)
  return startedAt === null ? null : { pid, startedAt }
}

/** Whether the process that `identify` named still runs. */
export const isRunning = (identity) => startOf(identity.pid) === identity.startedAt

const readHolders = (file) => {
  try {
    const holders = JSON.parse(readFileSync(file, 'utf8'))
    return Array.isArray(holders) ? holders : []
  } catch (error) {
    if (error.code === 'ENOENT') return null
    if (error instanceof SyntaxError) return []
    throw error
  }
}

/**
 * Moves a dead process's lock out of the way. Another process may have done the same and taken the lock since we looked:
 * then what we moved is live, and goes back.
 */
const removeStale = (file, own) => {
  const aside = `${own}.stale`
  try {
    renameSync(file, aside)
    if ((readHolders(aside) || []).some(isRunning)) linkSync(aside, file)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

/**
 * Takes the lock that is `file` for this process, at once or not at all. A lock whose processes are all gone is taken over.
 * Returns `{ heldBy: null, lock }`, or `{ heldBy: pid, lock: null }` when a running process has it. `lock.share(pid)` makes
 * the lock last as long as that process too, `lock.release()` gives it back.
 */
export const takeLock = (file) => {
  mkdirSync(dirname(file), { recursive: true })
  const holders = [identify(process.pid)]
  const own = `${file}.${process.pid}`
  const write = () => writeFileSync(own, JSON.stringify(holders))
  const share = (pid) => {
    const identity = identify(pid)
    if (identity === null) return
    holders.push(identity)
    write()
    renameSync(own, file)
  }
  for (;;) {
    write()
    try {
      // A link appears with its content, unlike a file that is created and then written.
      linkSync(own, file)
      return { heldBy: null, lock: { share, release: () => rmSync(file, { force: true }) } }
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    } finally {
      rmSync(own, { force: true })
    }
    const running = (readHolders(file) || []).find(isRunning)
    if (running !== undefined) return { heldBy: running.pid, lock: null }
    removeStale(file, own)
  }
}
