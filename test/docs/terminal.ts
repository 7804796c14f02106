import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/** A shell in the project's folder, as a reader of the page has it open. */
export type Terminal = {
  /** Runs the commands to their end; resolves with what they printed, rejects when the last one fails. */
  run(commands: string): Promise<string>
  /** Starts commands that stay; returns how to read what they have printed so far. */
  start(commands: string): () => string
  /** Asks everything that was started to end, and waits until it is gone; rejects when it had to be killed. */
  close(): Promise<void>
}

type Running = { child: ChildProcess; closed: Promise<unknown>; printed: () => string; said: () => string }

/** How long what was started may take to end when it is asked to, ms. */
const PATIENCE_MS = 30_000

/** Signals a shell's whole group, if anything of it is left. */
const signal = (group: number | undefined, name: NodeJS.Signals): void => {
  try {
    if (group !== undefined) process.kill(-group, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Opens terminals that share the environment, which is laid over this process's own. */
export const openTerminal = (environment: Record<string, string>): Terminal => {
  const staying: Running[] = []
  const spawnShell = (commands: string): Running => {
    const child = spawn('sh', ['-c', commands], {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      // A group of its own, to be ended whole: npm, our launcher and the command itself.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    return { child, closed: once(child, 'close'), printed: () => printed, said: () => said }
  }

  const run = async (commands: string): Promise<string> => {
    const { child, closed, printed, said } = spawnShell(commands)
    await closed
    if (child.exitCode === 0) return printed()
    throw new Error(`exit code ${child.exitCode}: ${commands}\n${printed()}${said()}`)
  }
  const start = (commands: string): (() => string) => {
    const one = spawnShell(commands)
    staying.push(one)
    return () => {
      if (one.child.exitCode !== null) throw new Error(`it ended: ${commands}\n${one.printed()}${one.said()}`)
      return one.printed()
    }
  }
  const endOne = async ({ child, closed, said }: Running): Promise<void> => {
    signal(child.pid, 'SIGTERM')
    let isLate = false
    const late = setTimeout(() => {
      isLate = true
      signal(child.pid, 'SIGKILL')
    }, PATIENCE_MS)
    // Closed: nothing holds its output any more, so not only the shell has ended.
    await closed
    clearTimeout(late)
    if (isLate) throw new Error(`did not end when asked, and was killed:\n${said()}`)
  }
  const close = async (): Promise<void> => {
    await Promise.all(staying.map(endOne))
  }
  return { run, start, close }
}
