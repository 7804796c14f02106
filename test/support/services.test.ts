import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { hasJetStream } from '../../src/local/nats-server.ts'
import { freePort } from './ports.ts'
import { findNats, findPostgres, type Service } from './services.ts'
import { runStatement } from './test-run.ts'

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
