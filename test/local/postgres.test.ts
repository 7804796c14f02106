import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LocalServer } from '../../src/local/local-server.ts'
import { startEmbeddedPostgres } from '../../src/local/postgres.ts'
import { identify } from '../../src/runtime/process-identity.ts'
import { gone, holdServer, kill, orphan } from './held-server.ts'

let folder: string
let server: LocalServer | null
let said: string[]

beforeEach(async () => {
  // A folder that only its owner may enter, as `mktemp -d` makes them: root's server must get in nevertheless.
  folder = await mkdtemp(join(tmpdir(), 'postgres-'))
  server = null
  said = []
})
afterEach(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

const start = async (settings: Record<string, string> = {}): Promise<LocalServer> => {
  server = await startEmbeddedPostgres({ dataFolder: folder, settings, say: (text) => said.push(text) })
  return server
}

const query = async (url: string, text: string): Promise<Record<string, unknown>[]> => {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(text)
    return rows
  } finally {
    await client.end()
  }
}

const keepOneRow = (url: string) => query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
const expectOneRow = async (url: string) =>
  expect(await query(url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])

describe('an embedded Postgres', () => {
  it('keeps its data from one start to the next, and is gone when it is stopped', async () => {
    const first = await start()
    await keepOneRow(first.url)
    await first.stop()
    expect(identify(first.pid)).toBeNull()
    await expect(query(first.url, 'SELECT')).rejects.toThrow('ECONNREFUSED')

    const second = await start()
    await expectOneRow(second.url)
    expect(said).toEqual([expect.stringContaining('creating a Postgres database cluster')])
  })

  it('is durable, takes settings, asks for its password, and keeps that to its user', async () => {
    const { url } = await start({ max_connections: '17' })
    const [found] = await query(
      url,
      `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
              current_setting('max_connections') AS connections, current_setting('server_encoding') AS encoding`,
    )
    expect(found).toEqual({ fsync: 'on', commit: 'on', connections: '17', encoding: 'UTF8' })
    const stranger = new URL(url)
    stranger.password = 'wrong'
    await expect(query(stranger.href, 'SELECT')).rejects.toThrow('password authentication failed')
    expect((await stat(join(folder, 'password'))).mode & 0o077).toBe(0)
  })

  it('ends with the process that started it, also when that is killed', async () => {
    const held = await holdServer('postgres', folder)
    await keepOneRow(held.url)
    await kill(held.holder)
    await gone(held.pid)
    await expectOneRow((await start()).url)
  })

  it.runIf(process.platform === 'linux')(
    'ends one that was left behind before it uses its data',
    async () => {
      const held = await holdServer('postgres', folder)
      await keepOneRow(held.url)
      await orphan(held)
      expect(identify(held.pid)).not.toBeNull()
      await expectOneRow((await start()).url)
      expect(identify(held.pid)).toBeNull()
      expect(said).toEqual([expect.stringContaining(`ending the Postgres (process ${held.pid})`)])
    },
  )

  it('starts after its own kill, and when its pid is another process by now', async () => {
    const held = await holdServer('postgres', folder)
    await keepOneRow(held.url)
    process.kill(held.pid, 'SIGKILL')
    await gone(held.pid)
    await kill(held.holder)
    const second = await start()
    await expectOneRow(second.url)
    await second.stop()
    await writeFile(join(folder, 'cluster', 'postmaster.pid'), `${process.pid}\n${folder}/cluster\n`)
    await expectOneRow((await start()).url)
  })

  it('passes on what Postgres says when it does not start', async () => {
    await expect(start({ shared_buffers: 'nonsense' })).rejects.toThrow(
      /Postgres does not start; .*invalid value for parameter "shared_buffers"/s,
    )
  })
})
