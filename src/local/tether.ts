import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

/** How a process ended: its exit code, or the signal that ended it. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null }

/** A program of others that runs as long as this process does, and no longer. */
export type Tethered = {
  /** The program's own process id. */
  readonly pid: number
  /** Resolves when the program has ended, asked or not. */
  readonly ended: Promise<Ending>
  /** Asks the program to end; resolves when it has. Forces it after the grace. */
  readonly stop: () => Promise<void>
}

/**
 * The shell between us and the program. It starts the program, tells its pid on standard output, and signals it as soon as
 * standard input closes, which the system does for us even when we are ended by SIGKILL: no server is left behind.
 */
const GUARD = `
signal=$1; shift
exec 3<&0
"$@" </dev/null 3<&- >&2 &
program=$!
echo "$program"
{ read -r _ <&3; kill -s "$signal" "$program"; } >/dev/null 2>&1 &
watcher=$!
exec 1>&-
wait "$program"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`

/** What the program is, how it is asked and how it is forced to end, and how long it may take in between. */
export type TetherOptions = {
  command: string
  args: readonly string[]
  environment: Record<string, string>
  /** Where the program's standard output and error are appended. */
  logFile: string
  stopSignal: 'INT' | 'TERM'
  forceSignal: NodeJS.Signals
  graceMs: number
  /** Given when the program must run as another user; see `ServerAccount`. */
  user?: { uid: number; gid: number }
}

/**
 * Starts a program in a session of its own, so that a terminal's Ctrl-C reaches only us and we decide what ends when.
 * Resolves when it has been started, which does not mean that it works yet.
 */
export const startTethered = async (options: TetherOptions): Promise<Tethered> => {
  const guard = startGuard(options)
  const { stdin, stdout } = guard
  const ended = endOf(guard)
  if (stdin === null || stdout === null) throw new Error('the guard has no pipes')
  stdin.on('error', () => undefined)
  const pid = Number(await firstLine(stdout))
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`could not start ${options.command}`)

  const stop = async (): Promise<void> => {
    stdin.end()
    const forced = new AbortController()
    const force = async (): Promise<void> => {
      await pause(options.graceMs, undefined, { signal: forced.signal })
      killIfThere(pid, options.forceSignal)
    }
    force().catch(() => undefined)
    await ended
    forced.abort()
  }
  return { pid, ended, stop }
}

const startGuard = (options: TetherOptions): ChildProcess => {
  const log = openSync(options.logFile, 'a')
  try {
    const args = ['-c', GUARD, 'sh', options.stopSignal, options.command, ...options.args]
    return spawn('/bin/sh', args, {
      cwd: '/',
      detached: true,
      env: options.environment,
      stdio: ['pipe', 'pipe', log],
      ...options.user,
    })
  } finally {
    closeSync(log)
  }
}

/** Resolves when the process has ended; also when it could not be started, with neither code nor signal. */
export const endOf = (child: ChildProcess): Promise<Ending> =>
  new Promise((resolve) => {
    child.on('error', () => resolve({ code: null, signal: null }))
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })

const firstLine = async (output: Readable): Promise<string> => {
  const lines = createInterface({ input: output })
  const [line]: unknown[] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
  return typeof line === 'string' ? line : ''
}

/** Signals a process; false when it is gone. */
export const killIfThere = (pid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}
