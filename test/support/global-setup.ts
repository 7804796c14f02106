import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { takeLock } from '../../src/local/process-lock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { ensureChromium } from './browser.ts'
import { bundleGateway } from './bundle-gateway.ts'
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
const RUNS_FOLDER = join(ROOT, '.data', 'test-services')

const say = (text: string): void => {
  process.stderr.write(`tests: ${text}\n`)
}

/** Deletes the folders of runs that were killed: those whose lock no running process holds. */
const deleteOldFolders = async (): Promise<void> => {
  const names = await readdir(RUNS_FOLDER).catch((): string[] => [])
  for (const name of names) {
    const folder = join(RUNS_FOLDER, name)
    if (takeLock(join(folder, 'lock')).release !== null) await rm(folder, { recursive: true, force: true })
  }
}

const findServices = async (folder: string): Promise<{ postgres: Service; nats: Service }> => {
  const environment = process.env
  const [postgres, nats] = await Promise.allSettled([
    findPostgres({ environment, dataFolder: folder, settings: { max_connections: '300' }, say }),
    findNats({ environment, dataFolder: folder, binFolder: join(ROOT, '.data', 'bin'), say }),
  ])
  if (postgres.status === 'fulfilled' && nats.status === 'fulfilled')
    return { postgres: postgres.value, nats: nats.value }
  for (const found of [postgres, nats]) if (found.status === 'fulfilled') await found.value.stop()
  throw postgres.status === 'rejected' ? postgres.reason : (nats as PromiseRejectedResult).reason
}

/** Before the first test: services, and the template database. After the last: all that this run made goes. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const runName = randomBytes(4).toString('hex')
  await deleteOldFolders()
  const folder = join(RUNS_FOLDER, runName)
  await mkdir(folder, { recursive: true })
  const { release } = takeLock(join(folder, 'lock'))
  await ensureChromium(say)
  const { postgres, nats } = await findServices(folder)
  const teardown = async (): Promise<void> => {
    await nats.stop()
    await postgres.stop()
    release?.()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const log = createLog({ name: 'tests', level: 'warn' })
    const run = await openTestRun({ databaseUrl: postgres.url, runName })
    await run.createTemplate((databaseUrl) => migrateToLatest({ databaseUrl, log }))
    await deleteOldStreams(nats.url)
    process.env['TESTED_GATEWAY'] ??= await bundleGateway(ROOT, join(ROOT, '.data', 'test-gateway'))
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
