import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import type { Settings } from '../support/settings.ts'

/** A process that may die of what is armed in it, even before it is ready. */
export type Mortal = {
  /** Resolves when it is ready, or dead before. */
  started: Promise<GatewayProcess | null>
  /** Resolves with what ended it: an exit code or a signal. */
  ended: Promise<number | string | null>
}

/** Starts a process that is killed at a crash point; `path` as `armCrashPoint` takes it. */
export const startMortal = (command: 'serve' | 'dispatch', settings: Settings, path: string): Mortal => {
  const starting = startGatewayProcess(command, { ...settings, CRASH_AT: path })
  const started = starting.catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('ended with SIGKILL')) return null
    throw error
  })
  const ended = started.then((process) => process?.ended ?? 'SIGKILL')
  ended.catch(() => undefined)
  return { started, ended }
}
