import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Spool } from '../../../src/core/callback/spool.ts'
import { encodeRecord } from '../../../src/core/callback/spool-record.ts'
import { BadSettings } from '../../../src/runtime/config.ts'
import { createLog } from '../../../src/runtime/log.ts'
import { openTestSpool as openUnclosed } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { received } from './received.ts'

/** Opened here, closed after the test. */
let spools: Spool[] = []
const openTestSpool: typeof openUnclosed = async (...options) => {
  const spool = await openUnclosed(...options)
  spools.push(spool)
  return spool
}

let folder: string
let logLines: string[]
let log: ReturnType<typeof createLog>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-spool-'))
  logLines = []
  const to = new Writable({ write: (chunk, _encoding, done) => done(void logLines.push(String(chunk))) })
  log = createLog({ name: 'test', level: 'info', to })
})
afterEach(async () => {
  for (const spool of spools) await spool.close()
  spools = []
  await rm(folder, { recursive: true, force: true })
})

/** Replays everything that a spool may take, as `replay` does but for Postgres; the ids it found, in their order. */
const takeAll = async (spool: Spool): Promise<string[]> => {
  const ids: string[] = []
  for (let file = await spool.nextFile(); file !== null; file = await spool.nextFile()) {
    ids.push(...(await spool.read(file)).callbacks.map(({ id }) => id))
    await spool.remove(file)
  }
  return ids
}

const several = (count: number) => Array.from({ length: count }, () => received())

describe('the spool', () => {
  it('holds on the disk what it acknowledged, and gives it back once', async () => {
    const spool = await openTestSpool(folder)
    const callbacks = several(300)
    await Promise.all(callbacks.map((callback) => spool.add(callback)))
    const [name = ''] = await readdir(folder)
    expect(await readFile(join(folder, name))).toEqual(Buffer.concat(callbacks.map(encodeRecord)))
    expect(await spool.count()).toEqual({ callbacks: 300, quarantined: 0 })
    expect(await takeAll(spool)).toEqual(callbacks.map(({ id }) => id))
    expect(await readdir(folder)).toEqual([])
    expect(await spool.count()).toEqual({ callbacks: 0, quarantined: 0 })
  })

  it('acknowledges after an fsync of the file, and of its folder when the file is new', async () => {
    const spool = await openTestSpool(folder)
    const handle = await open(folder, 'r')
    const methods = Object.getPrototypeOf(handle) as typeof handle
    await handle.close()
    const write = vi.spyOn(methods, 'write')
    const sync = vi.spyOn(methods, 'sync')
    try {
      await spool.add(received())
      expect([write.mock.results.length, sync.mock.results.length]).toEqual([1, 2])
      expect(sync.mock.invocationCallOrder.at(-1)).toBeGreaterThan(write.mock.invocationCallOrder[0] ?? 0)
      await spool.add(received())
      expect([write.mock.results.length, sync.mock.results.length]).toEqual([2, 3])
      expect(sync.mock.settledResults.map(({ type }) => type)).toEqual([
        'fulfilled',
        'fulfilled',
        'fulfilled',
      ])
    } finally {
      vi.restoreAllMocks()
    }
  })

  it('is for the gateway’s user alone', async () => {
    const own = join(folder, 'deep', 'spool')
    const spool = await openTestSpool(own)
    await spool.add(received())
    const [name = ''] = await readdir(own)
    expect((await stat(own)).mode & 0o777).toBe(0o700)
    expect((await stat(join(own, name))).mode & 0o777).toBe(0o600)
  })

  it('begins another file when one is full', async () => {
    const spool = await openTestSpool(folder)
    const body = Buffer.alloc(1024 * 1024)
    for (let count = 0; count < 20; count += 1) await spool.add(received({ body }))
    expect(await readdir(folder)).toHaveLength(3)
    expect(await takeAll(spool)).toHaveLength(20)
  })

  it('leaves another process its file while that is at work, and takes it over once it is left behind', async () => {
    const one = await openTestSpool(folder)
    const callbacks = several(3)
    await Promise.all(callbacks.map((callback) => one.add(callback)))
    const patient = await openTestSpool(folder, { leftBehindMs: 60_000 })
    expect(await patient.nextFile()).toBeNull()
    expect(await patient.count()).toEqual({ callbacks: 3, quarantined: 0 })
    const heir = await openTestSpool(folder, { leftBehindMs: 0 })
    expect(await takeAll(heir)).toEqual(callbacks.map(({ id }) => id))
  })

  it('loses nothing when files are taken over from a process that goes on writing', async () => {
    const writer = await openTestSpool(folder)
    const heir = await openTestSpool(folder, { leftBehindMs: 0 })
    const acknowledged: string[] = []
    const found = new Set<string>()
    const write = async (): Promise<void> => {
      for (const callback of several(150)) {
        await writer.add(callback)
        acknowledged.push(callback.id)
      }
    }
    const writing = Promise.all([write(), write(), write()])
    while (acknowledged.length < 430) {
      const next = acknowledged.length + 10
      await eventually(() => expect(acknowledged.length).toBeGreaterThan(next))
      const file = await heir.nextFile()
      if (file === null) continue
      for (const { id } of (await heir.read(file)).callbacks) found.add(id)
      await heir.remove(file)
    }
    await writing
    await writer.close()
    for (const id of await takeAll(heir)) found.add(id)
    expect(acknowledged).toHaveLength(450)
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([])
  })

  it('holds what a killed process acknowledged, whenever it was killed', async () => {
    const program = join(import.meta.dirname, 'spooler.ts')
    for (const afterCount of [1, 50, 400]) {
      const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
      let printed = ''
      child.stdout.on('data', (text: Buffer) => {
        printed += text.toString()
        if (printed.split('\n').length > afterCount) child.kill('SIGKILL')
      })
      await once(child, 'close')
      const acknowledged = printed.split('\n').filter((id) => id.length === 36)
      const heir = await openTestSpool(folder, { leftBehindMs: 0 })
      const found = new Set(await takeAll(heir))
      expect(acknowledged.length).toBeGreaterThanOrEqual(afterCount)
      expect(acknowledged.filter((id) => !found.has(id))).toEqual([])
    }
  })

  it('keeps a torn record aside, never replays it, and says so', async () => {
    const [whole, torn] = [received(), received()]
    await writeFile(join(folder, '0.sealed'), encodeRecord(whole))
    await appendFile(join(folder, '0.sealed'), encodeRecord(torn).subarray(0, -1))
    const spool = await openTestSpool(folder, { log, leftBehindMs: 0 })
    expect(await takeAll(spool)).toEqual([whole.id])
    const [aside = '', ...others] = await readdir(folder)
    expect([aside.endsWith('.aside'), others]).toEqual([true, []])
    expect(await readFile(join(folder, aside))).toEqual(encodeRecord(torn).subarray(0, -1))
    expect(await spool.count()).toEqual({ callbacks: 0, quarantined: 1 })
    expect(logLines.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'spool_damaged', level: 'error', file: join(folder, aside) },
    ])
  })

  it('refuses when its folder is gone, says so once, and writes again once it is back', async () => {
    const spool = await openTestSpool(folder, { log })
    await spool.add(received())
    await rm(folder, { recursive: true })
    await expect(spool.add(received())).rejects.toThrow('ENOENT')
    await expect(spool.add(received())).rejects.toThrow('ENOENT')
    await mkdir(folder)
    const callback = received()
    await spool.add(callback)
    expect(await takeAll(spool)).toEqual([callback.id])
    await eventually(() =>
      expect(logLines.map((line) => JSON.parse(line).event)).toEqual(['spool_refuses', 'spool_writes_again']),
    )
  })

  it('reports at its opening when it could not write', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    for (const place of [join(file, 'spool'), '/proc/no-folder'])
      await expect(openTestSpool(place)).rejects.toThrow(BadSettings)
    await expect(openTestSpool(file)).rejects.toThrow(
      /^SPOOL_DIR must be a folder that this process can write to/,
    )
  })
})

/** Mounts a file system that holds 256 KiB; false where this process may not. */
const mountTiny = (at: string): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', at], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Adds more than the disk holds; what was acknowledged, and why the rest was not. */
const fill = async (spool: Spool): Promise<{ acknowledged: string[]; refusals: unknown[] }> => {
  const acknowledged: string[] = []
  const refusals: unknown[] = []
  for (let count = 0; count < 60; count += 1) {
    const callback = received({ body: Buffer.alloc(10_000) })
    await spool.add(callback).then(
      () => acknowledged.push(callback.id),
      (error: unknown) => refusals.push(error),
    )
  }
  return { acknowledged, refusals }
}

describe('a full disk', () => {
  it('is reported to whoever adds; what was acknowledged stays whole, and after a replay there is room', async () => {
    // Only root can mount a disk that is small enough. To others the folder that is gone, above, has to stand for it.
    if (!mountTiny(folder)) return
    try {
      const spool = await openTestSpool(folder, { log })
      const { acknowledged, refusals } = await fill(spool)
      expect(acknowledged.length).toBeGreaterThan(15)
      expect(refusals.length).toBeGreaterThan(15)
      expect(refusals).toEqual(refusals.map(() => expect.objectContaining({ code: 'ENOSPC' })))
      expect(await takeAll(spool)).toEqual(acknowledged)
      await spool.add(received())
      await spool.close()
      expect(logLines.map((line) => JSON.parse(line).event)).toEqual(['spool_refuses', 'spool_writes_again'])
    } finally {
      execFileSync('umount', ['-l', folder])
    }
  })
})
