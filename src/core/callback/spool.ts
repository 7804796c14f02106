import { statfs } from 'node:fs/promises'
import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import type { ReceivedCallback } from './callback.ts'
import {
  type Disk,
  listFiles,
  listQuarantined,
  listRecordFiles,
  OPEN,
  prepareFolder,
  quarantineBytes,
  readRecordFile,
  readWhole,
  removeFile,
  SEALED,
  type SpoolFile,
  sealFile,
  systemDisk,
} from './spool-files.ts'
import { decodeRecords, encodeRecord, type SpoolContent } from './spool-record.ts'
import { createSpoolWriter, type SpoolWriter } from './spool-writer.ts'

/** From when on a file that another process wrote or sealed is taken to be left behind, ms. */
const LEFT_BEHIND_MS = 5_000

/** What the folder of a spool holds: callbacks to be replayed, and quarantined files; and the room on its disk. */
export type SpoolLook = { callbacks: number; quarantined: number; freeBytes: number }

/** Where callbacks are durable while Postgres is away. */
export type Spool = {
  /** Resolves once the callback is on the disk, many with one fsync; rejects when the disk does not take it. */
  add(callback: ReceivedCallback): Promise<void>
  /**
   * The oldest file to be replayed but for those of these names, null without any: this process's own at once, another's
   * once it was left behind.
   */
  nextFile(except?: ReadonlySet<string>): Promise<SpoolFile | null>
  /** What a file holds. Damaged bytes are quarantined before the file can be removed. */
  read(file: SpoolFile): Promise<SpoolContent>
  /** Quarantines a callback whose content Postgres refuses. */
  quarantine(file: SpoolFile, callback: ReceivedCallback): Promise<void>
  remove(file: SpoolFile): Promise<void>
  /** What the folder holds, whoever wrote it: callbacks to be replayed, and quarantined files. */
  count(): Promise<{ callbacks: number; quarantined: number }>
  /** The room on its disk, for whoever is not root. */
  freeBytes(): Promise<number>
  /** Waits for what is being added, and ends the file being written. */
  close(): Promise<void>
}

/**
 * Opens the spool in `folder`, which the processes of one gateway on a machine may share. A file of another that was
 * neither written nor sealed for `leftBehindMs` is taken over. Throws `BadSettings` when the folder cannot be written.
 */
export const openSpool = async (options: {
  folder: string
  newId: () => string
  log: Log
  leftBehindMs?: number
  disk?: Disk
}): Promise<Spool> => {
  const { folder, log, leftBehindMs = LEFT_BEHIND_MS, disk = systemDisk } = options
  await prepareFolder(disk, folder)
  const own = new Set<string>()
  const writer = createSpoolWriter({ disk, folder, newName: () => rememberIn(own, options.newId()) })
  const exclusively = createQueue()
  const batcher = createAdder({ writer, exclusively, log })

  const nextFile = async (except: ReadonlySet<string> = new Set()): Promise<SpoolFile | null> => {
    await exclusively(() => writer.seal())
    for (const file of await listFiles(disk, folder, OPEN)) {
      if (file.idleMs >= leftBehindMs && file.path !== writer.openRecords()?.path) {
        if (await sealFile(disk, file.path)) own.add(file.name)
      }
    }
    const files = await listFiles(disk, folder, SEALED)
    const isFree = (file: SpoolFile): boolean => own.has(file.name) || file.idleMs >= leftBehindMs
    return files.find((file) => isFree(file) && !except.has(file.name)) ?? null
  }

  const read = async (file: SpoolFile): Promise<SpoolContent> => {
    const content = decodeRecords((await readWhole(disk, file.path)) ?? Buffer.alloc(0))
    for (const { offset, bytes } of content.damaged) {
      const quarantined = await quarantineBytes(disk, file.path, offset, bytes)
      log.error({ event: 'spool_damaged', file: quarantined, bytes: bytes.length })
    }
    return content
  }

  return {
    add: (callback) => batcher.add(callback),
    nextFile,
    read,
    quarantine: async (file, callback) => {
      await quarantineBytes(disk, file.path, callback.id, encodeRecord(callback))
    },
    remove: async (file) => {
      await removeFile(disk, file.path)
      own.delete(file.name)
    },
    count: createCount(disk, folder, writer),
    freeBytes: () => freeBytesAt(folder),
    close: async () => {
      await batcher.drained()
      await exclusively(() => writer.seal())
    },
  }
}

const rememberIn = (names: Set<string>, name: string): string => {
  names.add(name)
  return name
}

/** Runs one piece of work after the other, in the order they are given. */
const createQueue = (): (<Result>(work: () => Promise<Result>) => Promise<Result>) => {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work, work)
    last = result.catch(() => undefined)
    return result
  }
}

/** Gathers callbacks for one write and one fsync, and says when the disk begins and ends to refuse them. */
const createAdder = (options: {
  writer: SpoolWriter
  exclusively: <Result>(work: () => Promise<Result>) => Promise<Result>
  log: Log
}): Batcher<ReceivedCallback, void> => {
  let isFailing = false
  const write = async (callbacks: ReceivedCallback[]): Promise<void[]> => {
    const bytes = Buffer.concat(callbacks.map(encodeRecord))
    try {
      await options.exclusively(() => options.writer.write(bytes, callbacks.length))
    } catch (error) {
      if (!isFailing) options.log.error({ event: 'spool_refuses', err: error })
      isFailing = true
      throw error
    }
    if (isFailing) options.log.warn({ event: 'spool_writes_again' })
    isFailing = false
    return callbacks.map(() => undefined)
  }
  return createBatcher({ maxItems: 500, maxRunning: 1, maxWaiting: 10_000, run: write })
}

const freeBytesAt = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** What the folder of a spool holds, and the room on its disk, for somebody who only looks; null where it cannot be read, or is not there. */
export const lookAtSpool = async (folder: string): Promise<SpoolLook | null> => {
  const count = createCount(systemDisk, folder, { openRecords: () => null })
  try {
    return { ...(await count()), freeBytes: await freeBytesAt(folder) }
  } catch {
    return null
  }
}

/**
 * Counts the records of the folder; a file is read again only when its size has changed. One that the disk does not give
 * counts as one: it has that at least, and else nobody would hear of any.
 */
const createCount = (
  disk: Disk,
  folder: string,
  writer: Pick<SpoolWriter, 'openRecords'>,
): Spool['count'] => {
  const known = new Map<string, { bytes: number; records: number }>()
  const countIn = async (file: SpoolFile): Promise<number> => {
    const open = writer.openRecords()
    if (open?.path === file.path) return open.records
    const counted = known.get(file.name)
    if (counted?.bytes === file.bytes) return counted.records
    const bytes = await readRecordFile(disk, file).catch(() => 'unreadable' as const)
    if (bytes === 'unreadable') return 1
    const records = decodeRecords(bytes ?? Buffer.alloc(0)).callbacks.length
    known.set(file.name, { bytes: file.bytes, records })
    return records
  }
  return async () => {
    const files = await listRecordFiles(folder, disk)
    const names = new Set(files.map((file) => file.name))
    for (const name of known.keys()) if (!names.has(name)) known.delete(name)
    let callbacks = 0
    for (const file of files) callbacks += await countIn(file)
    return { callbacks, quarantined: (await listQuarantined(disk, folder)).length }
  }
}
