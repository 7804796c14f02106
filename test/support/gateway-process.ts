import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { NODE_FLAGS, TESTED_GATEWAY } from './tested-gateway.ts'

/** How much of a process's log is shown when it fails to start. */
const SHOWN_CHARACTERS = 4_000

export type GatewayProcess = {
  pid: number
  /** The fields of its ready line. */
  ready: Record<string, string>
  /** Everything it has written to standard error so far. */
  log(): string
  /** Resolves with the exit code, or the signal that ended it, whenever it ends. */
  ended: Promise<number | string | null>
  /** Sends a signal and resolves with the exit code, or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | string | null>
}

/** What runs until it is asked to stop. */
export type GatewayCommand = 'serve' | 'serve --facade-only' | 'dispatch' | 'console' | 'simulator'

/** A process that may not be ready yet. */
export type StartingProcess = Omit<GatewayProcess, 'ready'> & {
  /** Resolves with the fields of its ready line; rejects when it ends without one. */
  ready: Promise<Record<string, string>>
}

/**
 * Starts `gateway <command> --json` as a process of its own, that of the suite unless told of another; resolves when it says that
 * it is ready.
 */
export const startGatewayProcess = async (
  command: GatewayCommand,
  environment: Record<string, string>,
  main = TESTED_GATEWAY,
): Promise<GatewayProcess> => {
  const starting = beginGatewayProcess(command, environment, main)
  return { ...starting, ready: await starting.ready }
}

/** Starts it, and does not wait until it is ready, which it may never be. */
export const beginGatewayProcess = (
  command: GatewayCommand,
  environment: Record<string, string>,
  main = TESTED_GATEWAY,
): StartingProcess =>
  beginProcess(process.execPath, [...NODE_FLAGS, main, ...command.split(' '), '--json'], {
    PATH: process.env['PATH'] ?? '',
    ...environment,
  })

/** The same for whatever becomes a process of the gateway, with all that is in its environment. */
export const beginProcess = (
  file: string,
  args: readonly string[],
  environment: Record<string, string>,
): StartingProcess => {
  const child = spawn(file, args, {
    env: { ...environment, GATEWAY_WITH_PARENT: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit').then(() => child.exitCode ?? child.signalCode)
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ready = Promise.race([firstLine(child), diedEarly(child, () => log)]).then((line) => JSON.parse(line))
  ready.catch(() => undefined)
  return {
    pid: child.pid ?? 0,
    ready,
    log: () => log,
    ended,
    end: (signal = 'SIGTERM') => {
      child.kill(signal)
      return ended
    },
  }
}

const firstLine = async (child: ChildProcess): Promise<string> => {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.includes('\n')) return text.split('\n')[0] ?? ''
  }
  // It ended without one: how is for its exit to tell, which comes after the end of its output.
  return new Promise(() => undefined)
}

const diedEarly = async (child: ChildProcess, log: () => string): Promise<never> => {
  await once(child, 'exit')
  throw new Error(`ended with ${child.exitCode ?? child.signalCode}:\n${log().slice(-SHOWN_CHARACTERS)}`)
}
