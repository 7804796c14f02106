import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNatsServer, searchPathOf } from '../../src/local/nats-server.ts'
import { eventually } from '../support/eventually.ts'
import { lastingPort } from '../support/ports.ts'

/** Where the suite keeps a nats-server that it had to fetch. */
const BIN_FOLDER = join(import.meta.dirname, '..', '..', '.data', 'bin')

/** A nats-server of one test's own, to be taken away and brought back. */
export type OwnNatsServer = {
  url: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Deletes everything JetStream has stored; only while it is stopped. */
  forget(): Promise<void>
  drop(): Promise<void>
}

/** Finds a port and a folder; nothing runs yet. `words` are further ones of its command line. */
export const prepareNatsServer = async (words: readonly string[] = []): Promise<OwnNatsServer> => {
  const port = await lastingPort()
  const folder = await mkdtemp(join(tmpdir(), 'nats-'))
  let server: ChildProcess | null = null

  const program = await findNatsServer({
    binFolder: BIN_FOLDER,
    searchPath: searchPathOf(process.env),
    say: (text) => process.stderr.write(`tests: ${text}\n`),
  })
  const start = async (): Promise<void> => {
    server = spawn(program, ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder, ...words], {
      stdio: 'ignore',
    })
    await eventually(() => answers(port))
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

const answers = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = dial(port, '127.0.0.1')
    socket.once('data', () => resolve(socket.destroy() && undefined)).once('error', reject)
  })
