import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { BadSettings } from '../../runtime/config.ts'
import { crashPoint } from '../../runtime/crash-point.ts'

// What the files of the spool are called: `.open` is being written, `.sealed` is written no more and waits to be
// replayed, `.aside` holds what no replay could use. Renaming one is atomic, and no record is acknowledged before its
// writer has seen, after the fsync, that its file still has the name it was opened under. So whoever renames an `.open`
// file has every acknowledged record of it, whether its writer has exited, is stopped or runs, and no lock has to
// outlive anybody.

/** The ends of the files' names. */
export const OPEN = '.open'
export const SEALED = '.sealed'
const QUARANTINED = '.aside'

/** Callbacks hold phone numbers: they are for the gateway's own user. */
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/** A file being written: its name, and its inode, which distinguishes it from another file of that name. */
export type OpenFile = { path: string; handle: DiskFile; inode: number }

/** Makes the folder if it is missing, and tries it. Throws `BadSettings` when a callback could not be kept there. */
export const prepareFolder = async (disk: Disk, folder: string): Promise<void> => {
  try {
    await makeFolder(disk, resolve(folder))
    const path = join(folder, `${process.pid}.trial`)
    await writeAndSync(disk, path, Buffer.from('x'), 0)
    await removeFile(disk, path, 0)
  } catch (error) {
    throw new BadSettings(
      `SPOOL_DIR must be a folder that this process can write to, for callbacks that come while Postgres is away; ${folder}: ${messageOf(error)}`,
    )
  }
}

/**
 * Makes a folder and those above it, durably. One by one: `recursive` runs in circles where a file system makes no
 * folders and says that a parent is missing, as that of /proc does. A folder that is there may have been made by a
 * process that was killed before it synced the parent, and a power cut would take it away with all that was
 * acknowledged: so the parent is synced whoever made the folder.
 */
const makeFolder = async (disk: Disk, folder: string): Promise<void> => {
  const parent = dirname(folder)
  if (parent === folder) return
  await makeFolder(disk, parent)
  if (await isFolder(disk, folder)) {
    await syncFolder(disk, parent, 0).catch((error: unknown) => {
      if (!isForbidden(error)) throw error
    })
    return
  }
  await disk.mkdir(folder, FOLDER_MODE).catch(async (error: unknown) => {
    // Another process that starts at the same time was first.
    if (!(await isFolder(disk, folder))) throw error
  })
  await syncFolder(disk, parent, 0)
}

/**
 * True for a folder that this process may not open, or whose file system has nothing to sync: we did not make what is
 * in it.
 */
const isForbidden = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  ['EACCES', 'EPERM', 'EINVAL', 'EROFS', 'ENOTSUP'].includes(String(error.code))

const isFolder = (disk: Disk, path: string): Promise<boolean> =>
  disk.stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** Creates a file whose name is as durable as what will be written to it. */
export const createFile = async (disk: Disk, folder: string, name: string): Promise<OpenFile> => {
  const path = join(folder, name)
  const handle = await disk.open(path, 'wx', FILE_MODE)
  try {
    await syncFolder(disk, folder)
    return { path, handle, inode: (await handle.stat()).ino }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** True while the file is found under the name it was opened with. */
export const hasItsName = async (disk: Disk, file: OpenFile): Promise<boolean> =>
  (await disk.stat(file.path).catch(() => null))?.ino === file.inode

/** `callbacks`: how many the file holds, none for one that only tries the disk. */
export const syncFile = async (handle: DiskFile, callbacks = 1): Promise<void> => {
  crashPoint('spool.before_sync', callbacks)
  await handle.sync()
  crashPoint('spool.after_sync', callbacks)
}

/** Ends the writing of a file; false when somebody else has done so. After a crash either name may be found. */
export const sealFile = async (disk: Disk, path: string): Promise<boolean> => {
  crashPoint('spool.before_seal')
  const sealed = await disk.rename(path, path.slice(0, -OPEN.length) + SEALED).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false
      throw error
    },
  )
  crashPoint('spool.after_seal')
  return sealed
}

/**
 * Removes a file that may be gone already. One that a crash brings back is replayed once more, which changes nothing.
 */
export const removeFile = async (disk: Disk, path: string, callbacks = 1): Promise<void> => {
  crashPoint('spool.before_remove', callbacks)
  await disk.rm(path, { force: true })
  crashPoint('spool.after_remove', callbacks)
}

/**
 * A file of the folder: its path, its name without its end, its size, and how long ago it was written or renamed, ms.
 */
export type SpoolFile = { path: string; name: string; bytes: number; idleMs: number }

/** The files of a kind, oldest first: their names begin with the ids of callbacks, which sort by time. */
export const listFiles = async (disk: Disk, folder: string, kind: string): Promise<SpoolFile[]> => {
  const names = (await disk.readdir(folder)).filter((name) => name.endsWith(kind)).sort()
  const files = await Promise.all(names.map((name) => look(disk, folder, name)))
  return files.filter((file) => file !== null)
}

/** The files that hold records, whichever name they have at this moment: one may be sealed while it is looked at. */
export const listRecordFiles = async (folder: string, disk: Disk = systemDisk): Promise<SpoolFile[]> => {
  const names = (await disk.readdir(folder)).filter((name) => name.endsWith(OPEN) || name.endsWith(SEALED))
  const bare = new Set(names.map(bareName))
  const files = await Promise.all(
    [...bare].map(
      async (name) => (await look(disk, folder, name + OPEN)) ?? look(disk, folder, name + SEALED),
    ),
  )
  return files.filter((file) => file !== null)
}

/** What such a file holds, also when it was sealed since; null when it is gone. */
export const readRecordFile = async (disk: Disk, file: SpoolFile): Promise<Buffer | null> =>
  (await readWhole(disk, file.path)) ?? readWhole(disk, join(dirname(file.path), file.name + SEALED))

export const listQuarantined = (disk: Disk, folder: string): Promise<SpoolFile[]> =>
  listFiles(disk, folder, QUARANTINED)

/** What a file holds; null when it is gone. */
export const readWhole = (disk: Disk, path: string): Promise<Buffer | null> =>
  disk.readFile(path).catch((error: unknown) => {
    if (isMissing(error)) return null
    throw error
  })

/**
 * Keeps bytes that no replay could use, durably, beside the file they are from: an operator decides. Returns the path.
 */
export const quarantineBytes = async (
  disk: Disk,
  path: string,
  offset: number | string,
  bytes: Buffer,
): Promise<string> => {
  const quarantined = `${path.slice(0, -SEALED.length)}-${offset}${QUARANTINED}`
  await writeAndSync(disk, quarantined, bytes)
  return quarantined
}

const writeAndSync = async (disk: Disk, path: string, bytes: Buffer, callbacks = 1): Promise<void> => {
  const handle = await disk.open(path, 'w', FILE_MODE)
  try {
    await writeWhole(handle, bytes, 0)
    await syncFile(handle, callbacks)
  } finally {
    await handle.close()
  }
  await syncFolder(disk, dirname(path), callbacks)
}

/** Writes all of `bytes` from `position` on: the system may take a part at a time. */
export const writeWhole = async (handle: DiskFile, bytes: Uint8Array, position: number): Promise<void> => {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

const syncFolder = async (disk: Disk, folder: string, callbacks = 1): Promise<void> => {
  const handle = await disk.open(folder, 'r')
  try {
    crashPoint('spool_folder.before_sync', callbacks)
    await handle.sync()
    crashPoint('spool_folder.after_sync', callbacks)
  } finally {
    await handle.close()
  }
}

const bareName = (name: string): string => name.replace(/\.[a-z]+$/, '')

const look = async (disk: Disk, folder: string, name: string): Promise<SpoolFile | null> => {
  const path = join(folder, name)
  const found = await disk.stat(path).catch(() => null)
  // After a clock was set back a file may seem to be from the future: its age counts either way.
  return (
    found && {
      path,
      name: bareName(name),
      bytes: found.size,
      idleMs: Math.abs(Date.now() - found.ctimeMs),
    }
  )
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** An open file or folder; each method as that of `FileHandle` in `node:fs/promises`. */
export type DiskFile = {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>
  truncate: (bytes: number) => Promise<void>
  sync: () => Promise<void>
  stat: () => Promise<{ ino: number }>
  close: () => Promise<void>
}

/** The disk that the spool is on, a parameter so that a test can take its power away; each as in `node:fs/promises`. */
export type Disk = {
  mkdir: (path: string, mode: number) => Promise<unknown>
  open: (path: string, flags: 'r' | 'w' | 'wx', mode?: number) => Promise<DiskFile>
  readdir: (path: string) => Promise<string[]>
  readFile: (path: string) => Promise<Buffer>
  rename: (from: string, to: string) => Promise<void>
  rm: (path: string, options: { force: boolean }) => Promise<void>
  stat: (path: string) => Promise<{ ino: number; size: number; ctimeMs: number; isDirectory(): boolean }>
}

export const systemDisk: Disk = { mkdir, open, readdir, readFile, rename, rm, stat }
