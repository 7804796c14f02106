import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Running } from '../../src/local/running.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** How a process ended and all that it printed. */
export type Ended = { code: number | null; stdout: string[]; stderr: string }

/** `npm start -- --json`, without npm. */
export type StartedGateway = {
  readonly child: ChildProcess
  /** Resolves with the ready line. */
  readonly ready: Promise<Running>
  readonly ended: Promise<Ended>
}

/** The environment of a bare machine: of ours only the PATH, and ports that nobody has. */
const environmentFor = (dataDir: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  DATA_DIR: dataDir,
  HTTP_PORT: '0',
  GRPC_PORT: '0',
  CONNECT_PORT: '0',
  OPS_PORT: '0',
  SIMULATOR_PORT: '0',
  SIMULATOR_CALLBACK_DELAY_MS: '10',
})

const runNode = (args: string[], environment: Record<string, string>): StartedGateway => {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stdout: string[] = []
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const lines = createInterface({ input: child.stdout }).on('line', (line) => stdout.push(line))
  const ended = once(child, 'close').then(([code]): Ended => ({ code, stdout, stderr }))
  const ready = Promise.race([once(lines, 'line'), ended.then(() => [])]).then(([line]): Running => {
    if (line === undefined) throw new Error(`it ended before it was ready:\n${stderr}`)
    return JSON.parse(String(line))
  })
  // Who does not wait for it need not hear of its failure.
  ready.catch(() => undefined)
  return { child, ready, ended }
}

export const startGateway = (dataDir: string): StartedGateway =>
  runNode([join('src', 'local', 'start.ts'), '--json'], environmentFor(dataDir))

/** Runs a `gateway` command beside a running one, which it finds through its DATA_DIR. */
export const gatewayCommand = (dataDir: string, args: string[]): Promise<Ended> =>
  runNode([join('src', 'cli', 'main.ts'), ...args], environmentFor(dataDir)).ended
