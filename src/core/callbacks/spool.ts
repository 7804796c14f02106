import { type Batcher, createBatcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import type { ReceivedCallback } from './callback.ts'
import {
  keepAside,
  listAside,
  listFiles,
  OPEN,
  prepareFolder,
  readWhole,
  removeFile,
  SEALED,
  type SpoolFile,
  sealFile,
} from './spool-files.ts'
import { decodeRecords, encodeRecord, type SpoolContent } from './spool-record.ts'
import { createSpoolWriter, type SpoolWriter } from './spool-writer.ts'

/** From when on a file that another process wrote or sealed is taken to be left behind, ms. */
const LEFT_BEHIND_MS = 5_000

/** Where callbacks are durable while Postgres is away. */
export type Spool = {
  /** Resolves once the callback is on the disk, many with one fsync; rejects when the disk does not take it. */
  add(callback: ReceivedCallback): Promise<void>
  /** The oldest file to be replayed, null without any: this process's own at once, another's once it was left behind. */
  nextFile(): Promise<SpoolFile | null>
  /** What a file holds. What is damaged is kept aside before the file can be removed. */
  read(file: SpoolFile): Promise<SpoolContent>
  /** Keeps a callback aside that Postgres refuses for what it holds. */
  setAside(file: SpoolFile, callback: ReceivedCallback): Promise<void>
  remove(file: SpoolFile): Promise<void>
  /** What the folder holds, whoever wrote it: callbacks to be replayed, and files kept aside. */
  count(): Promise<{ callbacks: number; aside: number }>
  /** Waits for what is being added, and ends the file being written. */
  close(): Promise<void>
}

/** Opens the spool in `folder`, which several processes may share. Throws `BadSettings` when it cannot be written. */
export const openSpool = async (options: {
  folder: string
  newId: () => string
  log: Log
}): Promise<Spool> => {
  const { folder, log } = options
  await prepareFolder(folder)
  const writer = createSpoolWriter(options)
  const exclusively = createQueue()
  const batcher = createAdder({ writer, exclusively, log })
  const own = new Set<string>()

  const nextFile = async (): Promise<SpoolFile | null> => {
    await exclusively(async () => {
      const open = writer.openRecords()
      if (open === null) return
      own.add(open.path.slice(0, -OPEN.length) + SEALED)
      await writer.seal()
    })
    for (const file of await listFiles(folder, OPEN)) {
      if (file.idleMs > LEFT_BEHIND_MS && file.path !== writer.openRecords()?.path) {
        if (await sealFile(file.path)) own.add(file.path.slice(0, -OPEN.length) + SEALED)
      }
    }
    const files = await listFiles(folder, SEALED)
    return files.find((file) => own.has(file.path) || file.idleMs > LEFT_BEHIND_MS) ?? null
  }

  const read = async (file: SpoolFile): Promise<SpoolContent> => {
    const content = decodeRecords((await readWhole(file.path)) ?? Buffer.alloc(0))
    for (const { offset, bytes } of content.damaged) {
      const aside = await keepAside(file.path, offset, bytes)
      log.error({ event: 'spool_damaged', file: aside, bytes: bytes.length })
    }
    return content
  }

  return {
    add: (callback) => batcher.add(callback),
    nextFile,
    read,
    setAside: async (file, callback) => {
      await keepAside(file.path, callback.id, encodeRecord(callback))
    },
    remove: async (file) => {
      await removeFile(file.path)
      own.delete(file.path)
    },
    count: createCount(folder, writer),
    close: async () => {
      await batcher.drained()
      await exclusively(() => writer.seal())
    },
  }
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

/** Counts the records of the folder; a file is read again only when its size has changed. */
const createCount = (folder: string, writer: SpoolWriter): Spool['count'] => {
  const known = new Map<string, { bytes: number; records: number }>()
  const countIn = async (file: SpoolFile): Promise<number> => {
    const open = writer.openRecords()
    if (open?.path === file.path) return open.records
    const counted = known.get(file.path)
    if (counted?.bytes === file.bytes) return counted.records
    const records = decodeRecords((await readWhole(file.path)) ?? Buffer.alloc(0)).callbacks.length
    known.set(file.path, { bytes: file.bytes, records })
    return records
  }
  return async () => {
    const files = [...(await listFiles(folder, OPEN)), ...(await listFiles(folder, SEALED))]
    const paths = new Set(files.map((file) => file.path))
    for (const path of known.keys()) if (!paths.has(path)) known.delete(path)
    let callbacks = 0
    for (const file of files) callbacks += await countIn(file)
    return { callbacks, aside: (await listAside(folder)).length }
  }
}
