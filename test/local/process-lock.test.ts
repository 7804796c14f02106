import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeLock } from '../../src/local/process-lock.ts'
import { identify, isRunning } from '../../src/runtime/process-identity.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
  file = join(folder, 'lock')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const endedProcess = async (): Promise<{ pid: number; startedAt: string }> => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = identify(child.pid ?? 0)
  child.kill()
  await once(child, 'exit')
  if (identity === null) throw new Error('the process did not run')
  return identity
}

describe('a process lock', () => {
  it('is had by one at a time, and leaves nothing behind', async () => {
    const first = takeLock(file)
    expect(first.heldBy).toBeNull()
    expect(takeLock(file)).toEqual({ heldBy: process.pid, release: null })
    first.release?.()
    const again = takeLock(file)
    expect(again.heldBy).toBeNull()
    again.release?.()
    expect(await readdir(folder)).toEqual([])
  })

  it('is taken over from processes that are gone', async () => {
    await writeFile(file, JSON.stringify([await endedProcess()]))
    expect(takeLock(file).heldBy).toBeNull()
    expect(await readdir(folder)).toEqual(['lock'])
  })

  it('is taken over from a process whose pid another one has now', async () => {
    await writeFile(file, JSON.stringify([{ pid: process.pid, startedAt: 'long ago' }]))
    expect(takeLock(file).heldBy).toBeNull()
  })

  it.each(['', 'nonsense', '{}', '[]'])('is taken over when it holds %j', async (content) => {
    await writeFile(file, content)
    expect(takeLock(file).heldBy).toBeNull()
  })

  it('is held while the process that has it runs, and taken over when it is gone', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const pid = child.pid ?? 0
    const holder = identify(pid)
    expect(holder !== null && isRunning(holder)).toBe(true)
    await writeFile(file, JSON.stringify([await endedProcess(), holder]))
    expect(takeLock(file)).toEqual({ heldBy: pid, release: null })
    child.kill()
    await once(child, 'exit')
    expect(holder !== null && isRunning(holder)).toBe(false)
    expect(takeLock(file).heldBy).toBeNull()
  })
})
