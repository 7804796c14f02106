import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

const READY_TIMEOUT_MS = 60_000
/** Longer than a request in flight may take, with its call to Daraja. */
const STOP_GRACE_MS = 45_000

/** An error that the person at this machine can fix: `npm start` prints its message without a stack. */
export class UserError extends Error {
  override name = 'UserError'
}

/** How a process ended: its exit code, or the signal that ended it; neither when it could not be started. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null }

/** A command line, and the user that it is spawned as; without one, our own. */
export type Command = {
  program: string
  args: readonly string[]
  uid?: number | undefined
  gid?: number | undefined
}

/** A process that runs as long as this one does, and no longer, also when this one is killed. */
export type GuardedProcess = {
  readonly pid: number
  /** Resolves when the process has ended, asked or not. */
  readonly ended: Promise<Ending>
  /** Asks the process to end, forces it after a while, and resolves when it has ended. */
  readonly stop: () => Promise<void>
}

/**
 * The shell between this process and the program. It starts the program, prints its pid, and signals it as soon as
 * standard input closes, which the system does even when this process is ended by SIGKILL: no server stays behind.
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

/**
 * Starts a program of others in a session of its own, so that a terminal's Ctrl-C reaches only this process, which
 * decides what ends when. Resolves when the program has been started, which does not mean that it works yet.
 */
export const startGuarded = async (options: {
  command: Command
  environment: Record<string, string>
  /** Where the program's standard output and error are appended. */
  logFile: string
  stopSignal: 'INT' | 'TERM'
  forceSignal: NodeJS.Signals
  graceMs: number
}): Promise<GuardedProcess> => {
  const { environment, stopSignal, forceSignal, graceMs } = options
  const { program, args, uid, gid } = options.command
  const log = openSync(options.logFile, 'a')
  const guard = spawn('/bin/sh', ['-c', GUARD, 'sh', stopSignal, program, ...args], {
    cwd: '/',
    detached: true,
    env: environment,
    stdio: ['pipe', 'pipe', log],
    uid,
    gid,
  })
  closeSync(log)
  const ended = endOf(guard)
  const { stdin, stdout } = guard
  if (stdin === null || stdout === null) throw new Error('the guard has no pipes')
  stdin.on('error', () => undefined)
  const lines = createInterface({ input: stdout })
  const [line]: unknown[] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
  const pid = Number(line)
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`could not start ${program}`)
  return { pid, ended, stop: () => endWithin({ ask: () => stdin.end(), pid, ended, graceMs, forceSignal }) }
}

/**
 * Starts a process of the gateway in a session of its own, so that Ctrl-C in a terminal does not reach it; its standard
 * input is the pipe by which it notices that this process is gone. Resolves when it has printed `{"ready":true,…}`.
 * Throws `UserError` when it ends before, after all its lines have been passed on, and the reason of `signal` when that
 * aborts.
 */
export const startGatewayProcess = async (options: {
  name: string
  /** What Node runs: a file and its arguments. */
  args: readonly string[]
  environment: Record<string, string | undefined>
  /** Is called with each line of its log, and of its output after the ready line. */
  onLine: (line: string) => void
  signal: AbortSignal
}): Promise<GuardedProcess> => {
  const { name, args, environment, onLine, signal } = options
  signal.throwIfAborted()
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...environment, GATEWAY_WITH_PARENT: '1' },
  })
  child.stdin.on('error', () => undefined)
  const pid = child.pid ?? 0
  const ended = endOf(child)
  const ask = () => child.kill('SIGTERM')
  const stop = () => endWithin({ ask, pid, ended, graceMs: STOP_GRACE_MS, forceSignal: 'SIGKILL' })
  const allRead = readLines(child.stderr, onLine)
  const ready = new Promise<'ready'>((resolve) => {
    void readLines(child.stdout, (line) => (isReadyLine(line) ? resolve('ready') : onLine(line)))
  })
  const tooLate = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)])
  const outcome = await Promise.race([ready, ended, once(tooLate, 'abort').then(() => 'late' as const)])
  if (outcome === 'ready') return { pid, ended, stop }
  await stop()
  signal.throwIfAborted()
  await allRead
  const why = outcome === 'late' ? 'was ended' : `ended (${describeEnding(outcome)})`
  throw new UserError(`${name} ${why} before it was ready; what it said is above`)
}

const isReadyLine = (line: string): boolean => {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null && 'ready' in parsed && parsed.ready === true
  } catch {
    return false
  }
}

const readLines = async (stream: Readable, onLine: (line: string) => void): Promise<void> => {
  for await (const line of createInterface({ input: stream })) onLine(line)
}

/**
 * Asks a process to end, signals `pid` with `forceSignal` when it has not after `graceMs`, and resolves when it has
 * ended.
 */
const endWithin = async (options: {
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

const endOf = (child: ChildProcess): Promise<Ending> =>
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
