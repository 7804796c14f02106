import { dirname } from 'node:path'
import { openSpool } from '../../../../src/core/callback/spool.ts'
import type { Disk } from '../../../../src/core/callback/spool-files.ts'
import { decodeRecords, encodeRecord } from '../../../../src/core/callback/spool-record.ts'
import { quietLog } from '../../../support/quiet-log.ts'
import { newCallbackId } from '../received.ts'
import type { Image } from './images.ts'
import { createMemoryDisk } from './memory-disk.ts'

/** What a process finds that starts on a disk after a power cut. */
export type Recovered = {
  /** Each callback that is replayed, as its record, and by its id; one that is there twice is replayed twice. */
  replayed: { id: string; record: string }[]
  /** What is kept aside in the end, in Latin-1. */
  aside: string[]
  /** What must not be: an error that ends the replay, bytes of a file that are neither replayed nor kept. */
  problems: string[]
}

/** Files that one disk can hold at most here: a replay that takes more goes round in circles. */
const MOST_FILES = 20

/** Starts the real spool on the disk, and replays all that it holds as `replay` does. */
export const recover = async (image: Image, folder: string): Promise<Recovered> => {
  const disk = await diskOf(image)
  const found: Recovered = { replayed: [], aside: [], problems: [] }
  try {
    await replayAll(disk, folder, found)
    for (const name of await disk.readdir(folder)) {
      if (name.endsWith('.aside'))
        found.aside.push((await disk.readFile(`${folder}/${name}`)).toString('latin1'))
      else if (!name.endsWith('.trial')) found.problems.push(`${name} stays`)
    }
  } catch (error) {
    found.problems.push(`the replay ends with ${String(error)}`)
  }
  return found
}

const replayAll = async (disk: Disk, folder: string, found: Recovered): Promise<void> => {
  const spool = await openSpool({ folder, newId: newCallbackId, log: quietLog, leftBehindMs: 0, disk })
  for (let files = 0; files < MOST_FILES; files += 1) {
    const file = await spool.nextFile()
    if (file === null) return
    const held = await disk.readFile(file.path)
    const content = await spool.read(file)
    const records = content.callbacks.map((callback) => ({ id: callback.id, record: encodeRecord(callback) }))
    const kept = [...records.map(({ record }) => record), ...content.damaged.map(({ bytes }) => bytes)]
    if (kept.reduce((sum, bytes) => sum + bytes.length, 0) !== held.length)
      found.problems.push(`${file.name} has bytes that are neither replayed nor kept aside`)
    found.replayed.push(...records.map(({ id, record }) => ({ id, record: record.toString('latin1') })))
    await spool.remove(file)
    const names = await disk.readdir(folder)
    const asides = await Promise.all(
      names.filter((name) => name.endsWith('.aside')).map((name) => disk.readFile(`${folder}/${name}`)),
    )
    for (const { bytes } of content.damaged) {
      if (!asides.some((aside) => aside.equals(bytes)))
        found.problems.push(`damaged bytes of ${file.name} are gone`)
    }
  }
  found.problems.push('the replay goes round in circles')
}

/** A disk that holds what the image does. */
const diskOf = async (image: Image): Promise<Disk> => {
  const { disk } = createMemoryDisk<never>().forProcess()
  const folders = [...image].filter(([, content]) => content === 'folder').map(([path]) => path)
  for (const path of folders.sort((one, other) => one.length - other.length)) await disk.mkdir(path, 0o700)
  for (const [path, content] of image) {
    if (content === 'folder') continue
    if (!folders.includes(dirname(path))) throw new Error(`${path} has no folder`)
    const file = await disk.open(path, 'wx')
    await file.write(content, 0, content.length, 0)
  }
  return disk
}

/** The ids of callbacks that are kept aside whole. */
export const quarantinedIds = (recovered: Recovered): string[] =>
  recovered.aside.flatMap((bytes) =>
    decodeRecords(Buffer.from(bytes, 'latin1')).callbacks.map(({ id }) => id),
  )
