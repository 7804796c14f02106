import { mkdir } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { startGuarded, UserError } from '../../src/local/child-process.ts'
import { startLocalServer } from '../../src/local/local-server.ts'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'

/** A Redis for queues; `pid` is null where it is not ours to look at. */
export type BenchRedis = { url: string; pid: number | null; stop(): Promise<void> }

const START_TIMEOUT_MS = 10_000
const STOP_GRACE_MS = 10_000

/** As BullMQ's guide to production asks for: what was added is on the disk within a second, and nothing is thrown away. */
const SETTINGS = [
  '--appendonly',
  'yes',
  '--appendfsync',
  'everysec',
  '--maxmemory-policy',
  'noeviction',
  '--save',
  '',
]

/** That of `REDIS_URL`, else one of the benchmark's own by this machine's `redis-server` (Debian: the package of that name). */
export const startBenchRedis = async (options: {
  dataFolder: string
  say: (text: string) => void
}): Promise<BenchRedis> => {
  const given = process.env['REDIS_URL']
  if (given !== undefined) return { url: given, pid: null, stop: () => Promise.resolve() }
  const program = await findOnPath('redis-server', searchPathOf(process.env))
  if (program === null) {
    throw new UserError('there is no redis-server: sudo apt-get install redis-server, or set REDIS_URL')
  }
  await mkdir(options.dataFolder, { recursive: true })
  const logFile = `${options.dataFolder}/redis.log`
  const { url, pid, stop } = await startLocalServer({
    name: 'redis-server',
    logFile,
    port: undefined,
    signal: undefined,
    timeoutMs: START_TIMEOUT_MS,
    urlOf: (port) => `redis://127.0.0.1:${port}`,
    answers: hasRedis,
    run: (port) =>
      startGuarded({
        command: {
          program,
          args: ['--bind', '127.0.0.1', '--port', String(port), '--dir', options.dataFolder, ...SETTINGS],
        },
        environment: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
        logFile,
        stopSignal: 'TERM',
        forceSignal: 'SIGKILL',
        graceMs: STOP_GRACE_MS,
      }),
  })
  return { url, pid, stop }
}

const hasRedis = async (url: string): Promise<boolean> => {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return (await redis.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}
