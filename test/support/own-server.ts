import { join } from 'node:path'
import { killIfThere } from '../../src/local/child-process.ts'
import { type LocalServer, processesIn } from '../../src/local/local-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { openTestFolder } from './folder.ts'
import { lastingPort } from './ports.ts'

/** A server of a test's own that is ended and started again, on the same port with the same data. */
export type OwnServer = {
  url: string
  port: number
  /** Ends it, in order (`stop`) or by SIGKILL; nothing when it is down. */
  end(how: 'stop' | 'kill'): Promise<void>
  /** Starts it; nothing when it is up. */
  start(): Promise<void>
}

/** Keeps a server on a port that nobody else is given while it is down. */
export const startOwnServer = async (
  start: (port: number) => Promise<LocalServer>,
): Promise<OwnServer & { pid(): number | null }> => {
  const port = await lastingPort()
  let server: LocalServer | null = await start(port)
  const { url } = server
  return {
    url,
    port,
    pid: () => server?.pid ?? null,
    end: async (how) => {
      if (server === null) return
      const ending = server
      server = null
      if (how === 'kill') killIfThere(ending.pid, 'SIGKILL')
      await ending.stop()
    },
    start: async () => {
      server ??= await start(port)
      if (server.port !== port) throw new Error(`port ${port} was taken meanwhile`)
    },
  }
}

/** A Postgres of a test's own, with the URL of its administrator. */
export type OwnPostgres = OwnServer & {
  /** Where its files are, as `startEmbeddedPostgres` takes it. */
  folder: string
  /** Signals all its processes: stops them where they stand, and lets them go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>
  close(): Promise<void>
}

/** Starts a Postgres; `settings` are those of the server, by name. */
export const startOwnPostgres = async (
  options: { settings?: Record<string, string> } = {},
): Promise<OwnPostgres> => {
  const own = await openTestFolder()
  const folder = own.path
  const server = await startOwnServer((port) =>
    startEmbeddedPostgres({ ...options, dataFolder: folder, port, say: () => undefined }),
  )
  return {
    ...server,
    folder,
    signal: async (signal) => {
      const all = await processesIn(join(folder, 'cluster'))
      for (const pid of new Set([server.pid(), ...all])) if (pid !== null) process.kill(pid, signal)
    },
    close: async () => {
      await server.end('stop')
      await own.close()
    },
  }
}
