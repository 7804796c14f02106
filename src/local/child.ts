import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { LocalProblem } from './problem.ts'
import { type Ending, endOf, killIfThere, type Tethered } from './tether.ts'

const READY_TIMEOUT_MS = 60_000
/** Longer than a request in flight may take, with its call to Daraja. */
const STOP_GRACE_MS = 45_000

/** How a process of ours is started. */
export type ChildOptions = {
  name: string
  /** What Node runs: a file and its arguments. */
  args: readonly string[]
  environment: Record<string, string | undefined>
  /** Hears each line of its log, and of its output after the ready line. */
  onLine: (line: string) => void
  signal: AbortSignal
}

const isReadyLine = (line: string): boolean => {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null && 'ready' in parsed && parsed.ready === true
  } catch {
    return false
  }
}

/**
 * Starts a process of ours, in a session of its own so that Ctrl-C in a terminal does not reach it, its standard input the
 * pipe by which it notices that we are gone. Resolves when it has printed `{"ready":true,…}`; throws `LocalProblem` when it
 * ends before, after all its lines have been heard, and what `signal` was aborted with.
 */
export const startChild = async (options: ChildOptions): Promise<Tethered> => {
  const child = spawn(process.execPath, options.args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...options.environment, GATEWAY_WITH_PARENT: '1' },
  })
  child.stdin.on('error', () => undefined)
  const ended = endOf(child)
  const allHeard = onLines(child.stderr, options.onLine)
  const ready = new Promise<void>((resolve) => {
    void onLines(child.stdout, (line) => (isReadyLine(line) ? resolve() : options.onLine(line)))
  })
  const outcome = await firstOf({ ready, ended, signal: options.signal })
  if (outcome === 'ready') return { pid: child.pid ?? 0, ended, stop: () => stopChild(child, ended) }
  await stopChild(child, ended)
  options.signal.throwIfAborted()
  await allHeard
  const why = outcome === 'ended' ? `ended (${describeEnding(await ended)})` : 'was ended'
  throw new LocalProblem(`${options.name} ${why} before it was ready; what it said is above`)
}

/** Hears every line of a stream; resolves at its end. */
const onLines = async (stream: Readable, onLine: (line: string) => void): Promise<void> => {
  for await (const line of createInterface({ input: stream })) onLine(line)
}

const firstOf = async (options: {
  ready: Promise<void>
  ended: Promise<Ending>
  signal: AbortSignal
}): Promise<'ready' | 'ended' | 'timeout'> => {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, options.signal])
  try {
    return await Promise.race([
      options.ready.then(() => 'ready' as const),
      options.ended.then(() => 'ended' as const),
      pause(READY_TIMEOUT_MS, 'timeout' as const, { signal }).catch(() => 'timeout' as const),
    ])
  } finally {
    over.abort()
  }
}

const stopChild = async (child: ChildProcess, ended: Promise<Ending>): Promise<void> => {
  child.kill('SIGTERM')
  const over = new AbortController()
  const force = async (): Promise<void> => {
    await pause(STOP_GRACE_MS, undefined, { signal: over.signal })
    if (child.pid !== undefined) killIfThere(child.pid, 'SIGKILL')
  }
  force().catch(() => undefined)
  await ended
  over.abort()
}

/** An ending in words. */
export const describeEnding = ({ code, signal }: Ending): string =>
  signal !== null ? `by ${signal}` : `exit code ${code}`
