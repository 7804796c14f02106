import { stat } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { findMemory } from './memory.ts'

describe('memory for files', () => {
  it('is where a file system of Linux is in memory, and has room', async () => {
    const folder = '/dev/shm'
    const isThere = await stat(folder).then(
      () => true,
      () => false,
    )
    expect(await findMemory(folder, 1)).toBe(isThere ? folder : null)
    expect(await findMemory(folder, Number.MAX_SAFE_INTEGER)).toBeNull()
  })

  it('is not in a file system of another kind, and not where nothing is', async () => {
    expect(await findMemory('/proc', 1)).toBeNull()
    expect(await findMemory('/no such folder', 1)).toBeNull()
  })
})
