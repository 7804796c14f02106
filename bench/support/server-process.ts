import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type BenchServer = {
  pid: number
  /** The fields of its ready line. */
  ready: Record<string, string>
  /** Says a line to it; resolves with the line that it answers. */
  ask(line: string): Promise<string>
  stop(signal?: NodeJS.Signals): Promise<void>
}

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Starts a server of bench/servers as a process of its own; resolves with its ready line. */
export const startBenchServer = (
  name: string,
  environment: Record<string, string>,
  args: readonly string[] = [],
): Promise<BenchServer> => start([pathOf(`../servers/${name}.ts`), ...args], environment)

/** Starts a process of a yardstick in bench/peers, by its path there; resolves with its ready line. */
export const startPeer = (path: string, environment: Record<string, string>): Promise<BenchServer> =>
  start([pathOf(`../peers/${path}.ts`)], { NODE_ENV: 'production', ...environment })

/** Starts a process of the gateway from the sources, as `npm start` does; resolves with its ready line. */
export const startGateway = (
  command: 'serve' | 'dispatch' | 'simulator' | 'console',
  environment: Record<string, string>,
): Promise<BenchServer> => start([pathOf('../../src/cli/main.ts'), command, '--json'], environment)

const start = async (args: readonly string[], environment: Record<string, string>): Promise<BenchServer> => {
  // It is mostly killed, and leaves behind what it made there.
  const temporary = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
  const child = spawn(process.execPath, args, {
    env: { ...process.env, TMPDIR: temporary, ...environment, GATEWAY_WITH_PARENT: '1' },
    // Its log goes where a log goes in production: into a pipe that somebody empties.
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.once('exit', () => rmSync(temporary, { recursive: true, force: true }))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-MOST_SAID)
  })
  const lines = createInterface({ input: child.stdout })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${args.join(' ')} ended before it was ready: ${said}`)
  })
  const ready = JSON.parse(await Promise.race([nextLine(lines), ended]))
  ended.catch(() => undefined)
  const ask = (line: string): Promise<string> => {
    child.stdin.write(`${line}\n`)
    return nextLine(lines)
  }
  return { pid: child.pid ?? 0, ready, ask, stop: (signal = 'SIGKILL') => end(child, signal) }
}

/** As much of what a process says of itself is kept, characters. */
const MOST_SAID = 2_000

const nextLine = async (lines: Interface): Promise<string> => {
  const [line] = (await once(lines, 'line')) as [string]
  return line
}

const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  child.kill(signal)
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
