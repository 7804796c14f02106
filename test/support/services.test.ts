import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { hasJetStream } from '../../src/local/nats-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { freePort } from './ports.ts'
import { findNats, findPostgres, type Service } from './services.ts'
import { onDatabase, runStatement } from './test-run.ts'

let folder: string
let found: Service[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'services-'))
  found = []
})
afterEach(async () => {
  for (const service of found) await service.stop()
  await rm(folder, { recursive: true, force: true })
})

const say = (): void => undefined
const binFolder = join(import.meta.dirname, '..', '..', '.data', 'bin')
const withPath = { PATH: process.env['PATH'] }

const keep = async (service: Promise<Service>): Promise<Service> => {
  const kept = await service
  found.push(kept)
  return kept
}

/** What a twin has in common with whom it stands in for. */
const identityOf = async (url: string): Promise<unknown> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query(
      `SELECT version(), datcollate, datctype, datlocprovider, lower('ÅÉ'), 'a' < 'B' AS mixed
       FROM pg_database WHERE datname = 'template0'`,
    )
    return rows
  } finally {
    await client.end()
  }
}

describe('services', () => {
  it('are those that the environment names, untried and left alone', async () => {
    const environment = { DATABASE_URL: 'postgres://given/db', NATS_URL: 'nats://given:1' }
    const postgres = await keep(findPostgres({ environment, dataFolder: folder, say }))
    const nats = await keep(findNats({ environment, dataFolder: folder, binFolder, say }))
    expect([postgres, nats]).toMatchObject([
      { origin: 'given', url: environment.DATABASE_URL },
      { origin: 'given', url: environment.NATS_URL },
    ])
  })

  it('are what listens on the standard ports, left alone', async () => {
    const port = Number(new URL(inject('natsUrl')).port)
    const nats = await findNats({ environment: {}, dataFolder: folder, binFolder, standardPort: port, say })
    expect(nats).toMatchObject({ origin: 'found', url: `nats://127.0.0.1:${port}` })
    await nats.stop()
    expect(await hasJetStream(nats.url)).toBe(true)
  })

  it('are started where nothing listens, and ended', async () => {
    const standardPort = await freePort()
    const [postgres, nats] = await Promise.all([
      keep(findPostgres({ environment: withPath, dataFolder: folder, standardPort, say })),
      keep(findNats({ environment: withPath, dataFolder: folder, binFolder, standardPort, say })),
    ])
    expect([postgres.origin, nats.origin]).toEqual(['started', 'started'])
    await runStatement(postgres.url, 'CREATE DATABASE mine')
    expect(await hasJetStream(nats.url)).toBe(true)
    await Promise.all([postgres.stop(), nats.stop()])
    await expect(runStatement(postgres.url, 'SELECT')).rejects.toThrow('ECONNREFUSED')
    expect(await hasJetStream(nats.url)).toBe(false)
  })

  it('are in memory another Postgres like the one that listens, which is left alone', async () => {
    const hba = join(folder, 'hba.conf')
    await writeFile(hba, 'host all all 127.0.0.1/32 trust')
    const port = await freePort()
    const listening = await startEmbeddedPostgres({
      dataFolder: folder,
      port,
      settings: { hba_file: hba },
      say,
    })
    found.push({ ...listening, origin: 'started' })
    const options = { environment: {}, dataFolder: join(folder, 'memory'), standardPort: port, say }
    const twin = await keep(findPostgres({ ...options, isInMemory: true }))
    expect(twin.origin).toBe('started')
    expect(await identityOf(twin.url)).toEqual(await identityOf(listening.url))
    await runStatement(twin.url, 'CREATE DATABASE mine')
    await expect(runStatement(onDatabase(listening.url, 'mine'), 'SELECT')).rejects.toThrow('does not exist')
    const onDisk = await keep(findPostgres({ ...options, isInMemory: false }))
    expect(onDisk).toMatchObject({ origin: 'found', url: `postgres://postgres@127.0.0.1:${port}/postgres` })
  })

  it('do not take a Postgres that refuses us for one of ours', async () => {
    // This one asks for a password, which is unknown on the standard port.
    const locked = await keep(
      findPostgres({
        environment: {},
        dataFolder: join(folder, 'locked'),
        standardPort: await freePort(),
        say,
      }),
    )
    const port = Number(new URL(locked.url).port)
    const other = await keep(findPostgres({ environment: {}, dataFolder: folder, standardPort: port, say }))
    expect(other.origin).toBe('started')
    expect(other.url).not.toBe(locked.url)
  })
})
