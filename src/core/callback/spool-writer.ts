import type { Disk } from './spool-files.ts'
import {
  createFile,
  hasItsName,
  OPEN,
  type OpenFile,
  removeFile,
  sealFile,
  syncFile,
  writeWhole,
} from './spool-files.ts'

/** From this size on a file is sealed and another begun, bytes: a file is replayed from memory. */
const FULL_BYTES = 8 * 1024 * 1024

/** In how many files a write is tried: one may have been taken over, another be damaged. */
const TRIES = 3

export type SpoolWriter = {
  /** Resolves once `bytes`, which are whole records, are on the disk; rejects when no file takes them. */
  write(bytes: Buffer, records: number): Promise<void>
  /** Ends the file being written, if any, so that it can be replayed. */
  seal(): Promise<void>
  /** The records in the file being written, by its path. */
  openRecords(): { path: string; records: number } | null
}

type Current = { file: OpenFile; bytes: number; records: number }

/**
 * Appends to one file of the folder, and syncs after each write. `write` and `seal` must not overlap. A file that
 * failed is never written again (after a failed fsync nobody knows what is on the disk), one that another process took
 * over neither: the bytes go to a new one.
 */
export const createSpoolWriter = (options: {
  disk: Disk
  folder: string
  newName: () => string
}): SpoolWriter => {
  const { disk } = options
  let current: Current | null = null

  const seal = async (): Promise<void> => {
    const ended = current
    current = null
    if (ended === null) return
    await ended.file.handle.close()
    await sealFile(disk, ended.file.path)
  }

  const writeOnce = async (bytes: Buffer, records: number): Promise<boolean> => {
    current ??= {
      file: await createFile(disk, options.folder, `${options.newName()}${OPEN}`),
      bytes: 0,
      records: 0,
    }
    try {
      await append(current, bytes)
    } catch (error) {
      await giveUp(disk, current).catch(() => undefined)
      current = null
      throw error
    }
    if (await hasItsName(disk, current.file)) {
      current.bytes += bytes.length
      current.records += records
      return true
    }
    await current.file.handle.close()
    current = null
    return false
  }

  const write = async (bytes: Buffer, records: number): Promise<void> => {
    if (current !== null && current.bytes >= FULL_BYTES) await seal()
    let failure: unknown = new Error('the file was taken over each time')
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        if (await writeOnce(bytes, records)) return
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  return {
    write,
    seal,
    openRecords: () => current && { path: current.file.path, records: current.records },
  }
}

const append = async (current: Current, bytes: Buffer): Promise<void> => {
  await writeWhole(current.file.handle, bytes, current.bytes)
  await syncFile(current.file.handle)
}

/** Takes back what was not acknowledged, which also frees a full disk, and leaves what was to be replayed. */
const giveUp = async (disk: Disk, { file, bytes }: Current): Promise<void> => {
  await file.handle.truncate(bytes).catch(() => undefined)
  await file.handle.close()
  if (bytes === 0) await removeFile(disk, file.path)
  else await sealFile(disk, file.path)
}
