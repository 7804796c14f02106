import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type BenchServer = {
  /** The fields of its ready line. */
  ready: Record<string, string>
  stop(): Promise<void>
}

/** Starts a server of bench/servers as a process of its own; resolves with its ready line. */
export const startBenchServer = async (
  name: string,
  environment: Record<string, string>,
): Promise<BenchServer> => {
  const file = fileURLToPath(new URL(`../servers/${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, ...environment },
    // Its log goes where a log goes in production: into a pipe that somebody empties.
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stderr.resume()
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  return { ready: JSON.parse(line), stop }
}
