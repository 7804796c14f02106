import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { connect } from 'nats'
import { startGuarded } from './guarded-process.ts'
import { type LocalServer, type LocalServerOptions, startLocalServer } from './local-server.ts'
import { endOrphanedServer, isProcessOf, readPidFile } from './orphaned-server.ts'

const START_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 10_000

/** JetStream's own limits, as nats-server writes them (`256MB`); without them it takes most of the memory and disk. */
export type JetStreamLimits = { max_memory_store?: string; max_file_store?: string }

/**
 * Starts the given `nats-server` with JetStream on 127.0.0.1, its store, configuration and `nats.log` in `dataFolder`; what
 * is there is used again. A server that an earlier, killed run left on this store is ended first. Resolves when JetStream
 * answers. `port` is a preferred port. Throws `UserError` with the end of the log.
 */
export const startNatsServer = async (
  options: LocalServerOptions & { program: string; limits?: JetStreamLimits },
): Promise<LocalServer> => {
  const folder = resolve(options.dataFolder)
  const config = join(folder, 'nats.conf')
  const pidFile = join(folder, 'nats.pid')
  const logFile = join(folder, 'nats.log')
  await mkdir(folder, { recursive: true })
  const oldPid = await readPidFile(pidFile)
  if (oldPid !== null && (await isProcessOf(oldPid, config)))
    await endOrphanedServer({ name: 'nats-server', pid: oldPid, forceSignal: 'SIGKILL', say: options.say })

  return startLocalServer({
    name: 'nats-server',
    logFile,
    port: options.port,
    signal: options.signal,
    timeoutMs: START_TIMEOUT_MS,
    urlOf: (port) => `nats://127.0.0.1:${port}`,
    answers: hasJetStream,
    run: async (port) => {
      const limits = Object.entries(options.limits ?? {}).map(([name, value]) => `  ${name}: ${value}\n`)
      await writeFile(
        config,
        `listen: "127.0.0.1:${port}"\npid_file: ${JSON.stringify(pidFile)}\n` +
          `jetstream {\n  store_dir: ${JSON.stringify(join(folder, 'jetstream'))}\n${limits.join('')}}\n`,
      )
      return startGuarded({
        command: options.program,
        args: ['-c', config],
        environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
        logFile,
        stopSignal: 'INT',
        forceSignal: 'SIGKILL',
        graceMs: STOP_GRACE_MS,
      })
    },
  })
}

/** Whether a NATS server listens at the URL, takes us, and has JetStream enabled. */
export const hasJetStream = async (natsUrl: string): Promise<boolean> => {
  try {
    const connection = await connect({ servers: natsUrl, timeout: 2_000, reconnect: false })
    try {
      const manager = await connection.jetstreamManager({ timeout: 2_000 })
      await manager.getAccountInfo()
      return true
    } finally {
      await connection.close()
    }
  } catch {
    return false
  }
}
