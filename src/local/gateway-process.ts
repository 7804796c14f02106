import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { describeEnding, endOf, endWithin, type GuardedProcess } from './guarded-process.ts'
import { UserError } from './user-error.ts'

const READY_TIMEOUT_MS = 60_000
/** Longer than a request in flight may take, with its call to Daraja. */
const STOP_GRACE_MS = 45_000

/** How a process of the gateway is started. */
export type GatewayProcessOptions = {
  name: string
  /** What Node runs: a file and its arguments. */
  args: readonly string[]
  environment: Record<string, string | undefined>
  /** Is called with each line of its log, and of its output after the ready line. */
  onLine: (line: string) => void
  signal: AbortSignal
}

/**
 * Starts a process of the gateway in a session of its own, so that Ctrl-C in a terminal does not reach it; its standard input
 * is the pipe by which it notices that this process is gone. Resolves when it has printed `{"ready":true,…}`. Throws
 * `UserError` when it ends before, after all its lines have been passed on, and the reason of `signal` when that aborts.
 */
export const startGatewayProcess = async (options: GatewayProcessOptions): Promise<GuardedProcess> => {
  options.signal.throwIfAborted()
  const child = spawn(process.execPath, options.args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...options.environment, GATEWAY_WITH_PARENT: '1' },
  })
  child.stdin.on('error', () => undefined)
  const pid = child.pid ?? 0
  const ended = endOf(child)
  const ask = () => child.kill('SIGTERM')
  const stop = () => endWithin({ ask, pid, ended, graceMs: STOP_GRACE_MS, forceSignal: 'SIGKILL' })
  const allRead = readLines(child.stderr, options.onLine)
  const ready = new Promise<'ready'>((resolve) => {
    void readLines(child.stdout, (line) => (isReadyLine(line) ? resolve('ready') : options.onLine(line)))
  })
  const tooLate = AbortSignal.any([options.signal, AbortSignal.timeout(READY_TIMEOUT_MS)])
  const outcome = await Promise.race([ready, ended, once(tooLate, 'abort').then(() => 'late' as const)])
  if (outcome === 'ready') return { pid, ended, stop }
  await stop()
  options.signal.throwIfAborted()
  await allRead
  const why = outcome === 'late' ? 'was ended' : `ended (${describeEnding(outcome)})`
  throw new UserError(`${options.name} ${why} before it was ready; what it said is above`)
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
