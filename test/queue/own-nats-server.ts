import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'

/** A nats-server of one test's own, to be taken away and brought back. */
export type OwnNatsServer = {
  url: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Deletes everything JetStream has stored; only while it is stopped. */
  forget(): Promise<void>
  drop(): Promise<void>
}

/** Finds a free port and a folder; nothing runs yet. */
export const prepareNatsServer = async (): Promise<OwnNatsServer> => {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'nats-'))
  let server: ChildProcess | null = null

  const start = async (): Promise<void> => {
    server = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder], {
      stdio: 'ignore',
    })
    await vi.waitFor(() => answers(port), { timeout: 10_000, interval: 20 })
  }
  const stop = async (): Promise<void> => {
    if (server === null || server.exitCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
    server = null
  }
  const forget = (): Promise<void> => rm(join(folder, 'jetstream'), { recursive: true, force: true })
  const drop = async (): Promise<void> => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { url: `nats://127.0.0.1:${port}`, start, stop, forget, drop }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const answers = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = dial(port, '127.0.0.1')
    socket.once('data', () => resolve(socket.destroy() && undefined)).once('error', reject)
  })
