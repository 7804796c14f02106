import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { vi } from 'vitest'
import { z } from 'zod'
import { identify } from '../../src/runtime/process-identity.ts'

const PROGRAM = join(import.meta.dirname, 'programs', 'hold-server.ts')

/** A server that a process of its own started, so that this process can be killed. */
export type HeldServer = { holder: ChildProcess; url: string; pid: number }

export const holdServer = async (kind: 'postgres' | 'nats', dataFolder: string): Promise<HeldServer> => {
  const holder = spawn(process.execPath, [PROGRAM, kind, dataFolder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (holder.stdout === null) throw new Error('no pipe')
  const [line]: unknown[] = await once(createInterface({ input: holder.stdout }), 'line')
  const { url, pid } = z.object({ url: z.string(), pid: z.number() }).parse(JSON.parse(String(line)))
  return { holder, url, pid }
}

export const kill = async (child: ChildProcess): Promise<void> => {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Kills the shell that guards a server for its holder, and then the holder: the server is left with nobody. */
export const orphan = async ({ holder, pid }: HeldServer): Promise<void> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1])
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8')
  // The watcher first: it would take the end of the shell, which closes the holder's pipe, for the holder's own.
  for (const child of children.trim().split(' ').map(Number))
    if (child !== pid) process.kill(child, 'SIGKILL')
  process.kill(parent, 'SIGKILL')
  await kill(holder)
}

/** Waits until the process is gone. */
export const gone = (pid: number): Promise<void> =>
  vi.waitFor(
    () => {
      if (identify(pid) !== null) throw new Error(`process ${pid} still runs`)
    },
    { timeout: 20_000, interval: 20 },
  )
