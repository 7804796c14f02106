import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** How a process ended: its exit code, or the signal that ended it; neither when it could not be started. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null }

/** A process that runs as long as this one does, and no longer, also when this one is killed. */
export type GuardedProcess = {
  readonly pid: number
  /** Resolves when the process has ended, asked or not. */
  readonly ended: Promise<Ending>
  /** Asks the process to end, forces it after a while, and resolves when it has ended. */
  readonly stop: () => Promise<void>
}

/**
 * The shell between this process and the program. It starts the program, prints its pid, and signals it as soon as standard
 * input closes, which the system does even when this process is ended by SIGKILL: no server stays behind.
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

/** What the program is, how it is asked and forced to end, and how long it may take in between. */
export type GuardedOptions = {
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
 * Starts a program of others in a session of its own, so that a terminal's Ctrl-C reaches only this process, which decides
 * what ends when. Resolves when the program has been started, which does not mean that it works yet.
 */
export const startGuarded = async (options: GuardedOptions): Promise<GuardedProcess> => {
  const log = openSync(options.logFile, 'a')
  const args = ['-c', GUARD, 'sh', options.stopSignal, options.command, ...options.args]
  const guard = spawn('/bin/sh', args, {
    cwd: '/',
    detached: true,
    env: options.environment,
    stdio: ['pipe', 'pipe', log],
    ...options.user,
  })
  closeSync(log)
  const ended = endOf(guard)
  const { stdin, stdout } = guard
  if (stdin === null || stdout === null) throw new Error('the guard has no pipes')
  stdin.on('error', () => undefined)
  const lines = createInterface({ input: stdout })
  const [line]: unknown[] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
  const pid = Number(line)
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`could not start ${options.command}`)
  return { pid, ended, stop: () => endWithin({ ...options, pid, ended, ask: () => stdin.end() }) }
}

/** Asks a process to end, signals `pid` with `forceSignal` when it has not after `graceMs`, and resolves when it has ended. */
export const endWithin = async (options: {
  ask: () => unknown
  pid: number
  ended: Promise<Ending>
  graceMs: number
  forceSignal: NodeJS.Signals
}): Promise<void> => {
  options.ask()
  const timer = setTimeout(() => killIfThere(options.pid, options.forceSignal), options.graceMs)
  await options.ended
  clearTimeout(timer)
}

export const endOf = (child: ChildProcess): Promise<Ending> =>
  new Promise((resolve) => {
    child.on('error', () => resolve({ code: null, signal: null }))
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })

/** An ending in words. */
export const describeEnding = ({ code, signal }: Ending): string =>
  signal !== null ? `by ${signal}` : `exit code ${code}`

/** Signals a process; false when it is gone. */
export const killIfThere = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}
