import { setTimeout as pause } from 'node:timers/promises'
import { killIfThere } from '../../src/local/child-process.ts'
import type { GatewayProcess } from './gateway-process.ts'

/** Processes by name, each of which runs once at most, is ended and started again. */
export type KeptProcesses<Name extends string> = {
  /** Starts a process that is down. */
  start(name: Name): Promise<void>
  /** Ends a process in order, and takes down how it ended when that was not in order. */
  stop(name: Name): Promise<void>
  kill(name: Name): Promise<void>
  killAll(): Promise<void>
  /** Stops a process where it stands, and lets it go on. */
  signal(name: Name, signal: 'SIGSTOP' | 'SIGCONT'): void
  /** The one that runs under a name. */
  running(name: Name): GatewayProcess | undefined
  /** Processes that ended without being ended here, or not in order when they were stopped. */
  wrongEnds(): string[]
  /** What the processes have logged since the beginning, line by line. */
  logLines(): string[]
}

/** How long it waits before it starts a process again that could not start, ms. */
const RETRY_MS = 50

/** `isRetried`: one that gives up before it is ready is started again, as whoever keeps processes alive does. */
export const keepProcesses = <Name extends string>(options: {
  start: (name: Name) => Promise<GatewayProcess>
  isRetried: boolean
}): KeptProcesses<Name> => {
  const running = new Map<Name, GatewayProcess>()
  const wanted = new Set<Name>()
  const starting = new Map<Name, Promise<void>>()
  const logs: (() => string)[] = []
  const ended: string[] = []

  const bringUp = async (name: Name): Promise<void> => {
    while (wanted.has(name)) {
      const process = await options.start(name).catch((error: unknown) => {
        if (!options.isRetried) throw error
        return null
      })
      if (process === null) await pause(RETRY_MS)
      else {
        logs.push(() => process.log())
        running.set(name, process)
        void process.ended.then((how) => {
          if (running.get(name) === process)
            ended.push(`${name} ended by itself with ${how}: ${lastError(process)}`)
        })
        return
      }
    }
  }
  const start = (name: Name): Promise<void> => {
    wanted.add(name)
    if (running.has(name)) return Promise.resolve()
    const known = starting.get(name) ?? bringUp(name).finally(() => starting.delete(name))
    starting.set(name, known)
    return known
  }
  const end = async (name: Name, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    wanted.delete(name)
    await starting.get(name)?.catch(() => undefined)
    const process = running.get(name)
    running.delete(name)
    const how = await process?.end(signal)
    if (signal === 'SIGTERM' && process && how !== 0) ended.push(`${name} was stopped and ended with ${how}`)
  }
  const kill = (name: Name): Promise<void> => end(name, 'SIGKILL')
  return {
    start,
    stop: (name) => end(name, 'SIGTERM'),
    kill,
    killAll: () => Promise.all([...wanted].map(kill)).then(() => undefined),
    signal: (name, signal) => {
      const process = running.get(name)
      if (process !== undefined) killIfThere(process.pid, signal)
    },
    running: (name) => running.get(name),
    wrongEnds: () => ended,
    logLines: () => logs.flatMap((log) => log().split('\n')),
  }
}

/** The last error that a process logged. */
const lastError = (process: GatewayProcess): string =>
  process
    .log()
    .split('\n')
    .findLast((line) => line.includes('"level":"fatal"') || line.includes('"level":"error"')) ?? 'no error'
