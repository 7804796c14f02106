import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { bundleGateway } from '../../scripts/bundle/make.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { takeLock } from '../../src/local/process-lock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { ensureChromium } from './browser.ts'
import { findMemory } from './memory.ts'
import { findNats, findPostgres, type Service } from './services.ts'
import { deleteOldStreams } from './streams.ts'
import { openTestRun } from './test-run.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A Postgres whose user may create databases. */
    databaseUrl: string
    /** The migrated database that `createTestDatabase` clones. */
    databaseTemplate: string
    /** A NATS with JetStream. */
    natsUrl: string
    /** Eight hexadecimal digits in the name of everything that this run of the suite makes. */
    testRun: string
  }
}

const ROOT = join(import.meta.dirname, '..', '..')

/** Beside a user's others, those of every copy of the project: they are nobody's when a copy is gone. */
const inMemory = (memory: string): string => join(memory, `mpesa-gateway-tests-${userInfo().uid}`)

const say = (text: string): void => {
  process.stderr.write(`tests: ${text}\n`)
}

/** A run of the suite: its lock `<name>.lock`, and its folder beside that. */
const RUN = /^(?<name>[0-9a-f]{8})(?:\.lock)?$/

/** Deletes the folders of runs that were killed: those whose lock no running process holds. */
const deleteOldFolders = async (runsFolder: string): Promise<void> => {
  const entries = await readdir(runsFolder).catch((): string[] => [])
  const names = entries.flatMap((entry) => RUN.exec(entry)?.groups?.['name'] ?? [])
  for (const folder of new Set(names.map((name) => join(runsFolder, name)))) {
    const { release } = takeLock(`${folder}.lock`)
    if (release === null) continue
    await rm(folder, { recursive: true, force: true })
    release()
  }
}

/** No database of a test lives long enough to need a vacuum, and the log of what nobody reads again takes memory. */
const SETTINGS = { max_connections: '300', autovacuum: 'off', max_wal_size: '256MB' }

const findServices = async (place: {
  dataFolder: string
  isInMemory: boolean
}): Promise<{ postgres: Service; nats: Service }> => {
  const environment = process.env
  const [postgres, nats] = await Promise.allSettled([
    findPostgres({ ...place, environment, settings: SETTINGS, say }),
    findNats({ ...place, environment, binFolder: join(ROOT, '.data', 'bin'), say }),
  ])
  if (postgres.status === 'fulfilled' && nats.status === 'fulfilled')
    return { postgres: postgres.value, nats: nats.value }
  for (const found of [postgres, nats]) if (found.status === 'fulfilled') await found.value.stop()
  throw postgres.status === 'rejected' ? postgres.reason : (nats as PromiseRejectedResult).reason
}

/** Before the first test: services, and the template database. After the last: all that this run made goes. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const runName = randomBytes(4).toString('hex')
  const memory = await findMemory()
  const runsFolder = memory === null ? join(ROOT, '.data', 'test-services') : inMemory(memory)
  await deleteOldFolders(runsFolder)
  const folder = join(runsFolder, runName)
  const { release } = takeLock(`${folder}.lock`)
  await mkdir(folder)
  await ensureChromium(say)
  const { postgres, nats } = await findServices({ dataFolder: folder, isInMemory: memory !== null })
  const teardown = async (): Promise<void> => {
    await nats.stop()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
    release?.()
  }
  try {
    const log = createLog({ name: 'tests', level: 'warn' })
    const run = await openTestRun({ databaseUrl: postgres.url, runName })
    await run.createTemplate((databaseUrl) => migrateToLatest({ databaseUrl, log }))
    await deleteOldStreams(nats.url)
    process.env['TESTED_GATEWAY'] ??= await bundleGateway(ROOT)
    project.provide('databaseUrl', postgres.url)
    project.provide('databaseTemplate', run.templateName)
    project.provide('natsUrl', nats.url)
    project.provide('testRun', runName)
    say(`PostgreSQL ${postgres.origin}, NATS ${nats.origin}`)
    return async () => {
      await run.close()
      await teardown()
    }
  } catch (error) {
    await teardown()
    throw error
  }
}
