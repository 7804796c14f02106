import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withRunningDatabase } from '../../src/cli/database.ts'
import {
  keepSecret,
  type Running,
  readRunning,
  readRunningSecretKey,
  removeRunning,
  writeRunning,
  writeRunningSecretKey,
  writeRunningSettings,
} from '../../src/local/running.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'running-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const state: Running = {
  ready: true,
  http_url: 'http://127.0.0.1:8080',
  grpc_url: 'http://127.0.0.1:9090',
  connect_url: 'http://127.0.0.1:9080',
  ops_url: 'http://127.0.0.1:8081',
  dispatcher_ops_url: 'http://127.0.0.1:8082',
  console_url: null,
  console_sign_in_url: null,
  console_ops_url: null,
  simulator_url: null,
  receiver_url: 'http://127.0.0.1:8091',
  database_url: 'postgres://postgres:secret@127.0.0.1:1/gateway',
  nats_url: null,
  spool_dir: '/data/spool',
  api_key: 'key',
  pids: { start: process.pid },
}

const file = (): string => join(folder, 'running.json')
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('running.json', () => {
  it('says what runs, to this user alone, until it is removed', async () => {
    writeRunning(folder, state)
    expect(await readRunning(folder)).toEqual(state)
    expect(await modeOf(file())).toBe(0o600)
    removeRunning(folder)
    expect(await readRunning(folder)).toBeNull()
    removeRunning(folder)
  })

  it('counts for nothing when the process that wrote it is gone, though another has its pid', async () => {
    writeRunning(folder, state)
    const written: unknown = JSON.parse(await readFile(file(), 'utf8'))
    await writeFile(
      file(),
      JSON.stringify({ ...(written as object), process: { pid: process.pid, startedAt: 'long ago' } }),
    )
    expect(await readRunning(folder)).toBeNull()
  })

  it.each(['', '{', 'null', '{"process":{"pid":1}}'])(
    'counts for nothing when it holds %j',
    async (content) => {
      await writeFile(file(), content)
      expect(await readRunning(folder)).toBeNull()
    },
  )
})

describe('the SECRET_KEY in use', () => {
  it('is kept for the commands beside it, for this user alone, and the newest counts', async () => {
    expect(await readRunningSecretKey(folder)).toBeNull()
    writeRunningSecretKey(folder, 'ab')
    writeRunningSecretKey(folder, 'cd')
    expect(await readRunningSecretKey(folder)).toBe('cd')
    expect(await modeOf(join(folder, 'running-secret-key'))).toBe(0o600)
  })

  it('is given to a command for the database of that run, and for no other', async () => {
    writeRunning(folder, state)
    writeRunningSecretKey(folder, 'ab')
    const DATA_DIR = folder
    const beside = await withRunningDatabase({ DATA_DIR })
    expect(beside).toMatchObject({ DATABASE_URL: state.database_url, SECRET_KEY: 'ab' })
    writeRunningSettings(folder, { CALLBACK_ALLOW_HTTP: '1', LOG_LEVEL: 'warn' })
    expect(
      await withRunningDatabase({ DATA_DIR, LOG_LEVEL: 'debug', CALLBACK_ALLOW_HTTP: '' }),
    ).toMatchObject({
      CALLBACK_ALLOW_HTTP: '1',
      LOG_LEVEL: 'debug',
    })
    const own = { DATA_DIR, DATABASE_URL: state.database_url, SECRET_KEY: 'own' }
    expect(await withRunningDatabase(own)).toMatchObject(own)
    const elsewhere = { DATA_DIR, DATABASE_URL: 'postgres://elsewhere/gateway' }
    expect(await withRunningDatabase(elsewhere)).toEqual(elsewhere)
  })
})

describe('a kept secret', () => {
  it('is made once, and for this user alone', async () => {
    const path = join(folder, 'deeper', 'secret-key')
    expect(keepSecret(path, () => 'first')).toBe('first')
    expect(keepSecret(path, () => 'second')).toBe('first')
    expect(await modeOf(path)).toBe(0o600)
  })
})
