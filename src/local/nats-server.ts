import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { hasJetStream } from './has-jetstream.ts'
import { endLeftover, isProcessOf, readPidFile } from './leftover-process.ts'
import type { LocalServer } from './local-server.ts'
import { LocalProblem } from './problem.ts'
import { startTethered, type Tethered } from './tether.ts'

const START_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 10_000
const START_ATTEMPTS = 3

type NatsFiles = { store: string; config: string; pid: string; log: string }

const filesIn = (folder: string): NatsFiles => ({
  store: join(folder, 'jetstream'),
  config: join(folder, 'nats.conf'),
  pid: join(folder, 'nats.pid'),
  log: join(folder, 'nats.log'),
})

/** JetStream's own limits, as nats-server writes them (`256MB`); without them it takes most of the memory and disk. */
export type JetStreamLimits = { max_memory_store?: string; max_file_store?: string }

const configuration = (options: { files: NatsFiles; port: number; limits: JetStreamLimits }): string => {
  const { files, port, limits } = options
  const limitLines = Object.entries(limits).map(([name, value]) => `  ${name}: ${value}`)
  return [
    `listen: "127.0.0.1:${port}"`,
    `pid_file: ${JSON.stringify(files.pid)}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(files.store)}`,
    ...limitLines,
    '}',
    '',
  ].join('\n')
}

/**
 * Starts the given `nats-server` with JetStream on 127.0.0.1, its store, configuration and `nats.log` in `dataFolder`; what
 * is there is used again. A server that an earlier, killed run left on this store is ended first. Resolves when JetStream
 * answers. `port` is a preferred port. Throws `LocalProblem` with the end of the log.
 */
export const startNatsServer = async (options: {
  program: string
  dataFolder: string
  port?: number
  limits?: JetStreamLimits
  say: (text: string) => void
  signal?: AbortSignal
}): Promise<LocalServer> => {
  const folder = resolve(options.dataFolder)
  const files = filesIn(folder)
  await mkdir(folder, { recursive: true })
  await endOldServer(files, options.say)
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted()
    const port = await freePort(options.port === undefined ? {} : { preferred: options.port })
    await writeFile(files.config, configuration({ files, port, limits: options.limits ?? {} }))
    const server = await runServer(options.program, files)
    const url = `nats://127.0.0.1:${port}`
    if (await answers(url, server)) return { ...server, url, port }
    await server.stop()
    const told = (await readFile(files.log, 'utf8')).slice(-2000).trim()
    if (attempt === START_ATTEMPTS || !told.includes('address already in use'))
      throw new LocalProblem(`nats-server does not start; ${files.log} says:\n${told}`)
  }
}

const endOldServer = async (files: NatsFiles, say: (text: string) => void): Promise<void> => {
  const pid = await readPidFile(files.pid)
  if (pid === null || !(await isProcessOf(pid, files.config))) return
  say(`ending the nats-server (process ${pid}) that an earlier run left behind`)
  await endLeftover({ pid, stopSignal: 'SIGINT', forceSignal: 'SIGKILL' })
}

const runServer = (program: string, files: NatsFiles): Promise<Tethered> =>
  startTethered({
    command: program,
    args: ['-c', files.config],
    environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    logFile: files.log,
    stopSignal: 'INT',
    forceSignal: 'SIGKILL',
    graceMs: STOP_GRACE_MS,
  })

/** Resolves with true as soon as JetStream answers, with false when the server has ended or takes too long. */
const answers = async (url: string, server: Tethered): Promise<boolean> => {
  const ended = server.ended.then(() => true)
  const until = performance.now() + START_TIMEOUT_MS
  while (performance.now() < until) {
    if (await hasJetStream(url)) return true
    if (await Promise.race([ended, pause(50, false)])) return false
  }
  return false
}
