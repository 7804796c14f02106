import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type NatsConnection } from 'nats'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LocalServer } from '../../src/local/local-server.ts'
import { findNatsServer, hasJetStream, searchPathOf, startNatsServer } from '../../src/local/nats-server.ts'
import { identify } from '../../src/runtime/process-identity.ts'
import { gone, holdServer, kill, orphan } from './held-server.ts'

const BIN_FOLDER = join(import.meta.dirname, '..', '..', '.data', 'bin')

let folder: string
let server: LocalServer | null
let said: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nats-'))
  server = null
  said = []
})
afterEach(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

const start = async (): Promise<LocalServer> => {
  const say = (text: string): void => void said.push(text)
  const program = await findNatsServer({ binFolder: BIN_FOLDER, searchPath: searchPathOf(process.env), say })
  server = await startNatsServer({ program, dataFolder: folder, limits: { max_file_store: '64MB' }, say })
  return server
}

const withConnection = async <Result>(
  url: string,
  work: (connection: NatsConnection) => Promise<Result>,
): Promise<Result> => {
  const connection = await connect({ servers: url })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

const keepOneMessage = (url: string) =>
  withConnection(url, async (connection) => {
    const manager = await connection.jetstreamManager()
    await manager.streams.add({ name: 'kept', subjects: ['kept'] })
    await connection.jetstream().publish('kept')
  })

const countMessages = (url: string): Promise<number> =>
  withConnection(url, async (connection) => {
    const manager = await connection.jetstreamManager()
    return (await manager.streams.info('kept')).state.messages
  })

describe('a nats-server of ours', () => {
  it('answers with JetStream, keeps its messages, and is gone when it is stopped', async () => {
    const first = await start()
    expect(await hasJetStream(first.url)).toBe(true)
    await keepOneMessage(first.url)
    await first.stop()
    expect(identify(first.pid)).toBeNull()
    expect(await hasJetStream(first.url)).toBe(false)
    expect(await countMessages((await start()).url)).toBe(1)
  })

  it('keeps to the limits it is given', async () => {
    const { url } = await start()
    const refusal = withConnection(url, async (connection) => {
      const manager = await connection.jetstreamManager()
      await manager.streams.add({ name: 'large', subjects: ['large'], max_bytes: 65 * 1024 * 1024 })
    })
    await expect(refusal).rejects.toThrow('insufficient storage')
  })

  it('ends with the process that started it, also when that is killed', async () => {
    const held = await holdServer('nats', folder)
    await keepOneMessage(held.url)
    await kill(held.holder)
    await gone(held.pid)
    expect(await countMessages((await start()).url)).toBe(1)
  })

  it.runIf(process.platform === 'linux')(
    'ends one that was left behind before it uses its store',
    async () => {
      const held = await holdServer('nats', folder)
      await keepOneMessage(held.url)
      await orphan(held)
      expect(identify(held.pid)).not.toBeNull()
      expect(await countMessages((await start()).url)).toBe(1)
      expect(identify(held.pid)).toBeNull()
      expect(said).toEqual([expect.stringContaining(`ending the nats-server (process ${held.pid})`)])
    },
  )

  it('is found in the folder of what was fetched, and where it is nowhere the message says what to type', async () => {
    const nowhere = findNatsServer({ binFolder: folder, searchPath: folder, say: () => undefined })
    await expect(nowhere).rejects.toThrow(
      /optional for the gateway.* To have it: .*nats-server.* set NATS_URL/,
    )
    const known = await findNatsServer({
      binFolder: BIN_FOLDER,
      searchPath: searchPathOf(process.env),
      say: () => undefined,
    })
    const inFolder = findNatsServer({
      binFolder: join(known, '..'),
      searchPath: folder,
      say: () => undefined,
    })
    expect(await inFolder).toBe(known)
  })
})
