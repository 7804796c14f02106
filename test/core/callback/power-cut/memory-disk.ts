import { basename, dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Disk, DiskFile } from '../../../../src/core/callback/spool-files.ts'

// A disk in memory that writes down every step by which it is changed or made durable, so that each state in which a power
// cut may leave a real one can be built from the steps.

export type FileNode = { kind: 'file'; ino: number; bytes: Buffer }
export type FolderNode = { kind: 'folder'; ino: number; entries: Map<string, DiskNode> }
export type DiskNode = FileNode | FolderNode

/** What changes a file, and what changes a folder: until a sync of that file or folder it may be on the disk or not. */
export type FileChange =
  | { kind: 'write'; node: FileNode; offset: number; bytes: Buffer }
  | { kind: 'truncate'; node: FileNode; size: number }
export type FolderChange =
  | { kind: 'link'; node: FolderNode; name: string; target: DiskNode }
  | { kind: 'rename'; node: FolderNode; name: string; to: string }
  | { kind: 'unlink'; node: FolderNode; name: string }

/**
 * A step: a change, a sync (`before`: it covers the changes of its node among so many first steps), or something that was
 * said meanwhile. What a failed sync covers may be on the disk or not for ever: the system forgets that it was not written.
 */
export type Step<Note> =
  | FileChange
  | FolderChange
  | { kind: 'sync' | 'failed_sync'; node: DiskNode; before: number }
  | { kind: 'note'; note: Note }

/** What goes wrong for one process: counted among its calls of that kind from 1. */
export type DiskFaults = {
  /** The process is gone before its call of this number, whatever the kind. */
  diesBefore?: number
  failedWrite?: number
  failedFileSync?: number
  failedFolderSync?: number
  /** The most that one write takes, bytes. */
  writesAtMost?: number
}

export type MemoryDisk<Note> = {
  root: FolderNode
  steps: Step<Note>[]
  note(note: Note): void
  /** The disk as one process has it, and what resolves when that dies: none of its calls ends from then on. */
  forProcess(faults?: DiskFaults): { disk: Disk; died: Promise<void> }
}

export const createMemoryDisk = <Note>(): MemoryDisk<Note> => {
  const steps: Step<Note>[] = []
  let inodes = 1
  const newFolder = (): FolderNode => ({ kind: 'folder', ino: (inodes += 1), entries: new Map() })
  const root = newFolder()
  const change = (step: FileChange | FolderChange): void => {
    apply(step)
    steps.push(step)
  }
  const parentOf = (path: string): FolderNode => {
    const parent = find(root, dirname(path))
    if (parent?.kind !== 'folder') throw systemError('ENOENT', path)
    return parent
  }
  const existing = (path: string): DiskNode => {
    const node = find(root, path)
    if (node === null) throw systemError('ENOENT', path)
    return node
  }
  const link = (path: string, target: DiskNode): void =>
    change({ kind: 'link', node: parentOf(path), name: basename(path), target })

  const openNode = (path: string, flags: 'r' | 'w' | 'wx'): DiskNode => {
    const found = find(root, path)
    if (flags === 'r') return existing(path)
    if (found === null) {
      const made: FileNode = { kind: 'file', ino: (inodes += 1), bytes: Buffer.alloc(0) }
      link(path, made)
      return made
    }
    if (flags === 'wx' || found.kind === 'folder') throw systemError('EEXIST', path)
    change({ kind: 'truncate', node: found, size: 0 })
    return found
  }

  const forProcess = (faults: DiskFaults = {}): { disk: Disk; died: Promise<void> } => {
    const death = Promise.withResolvers<void>()
    const counts = { call: 0, write: 0, fileSync: 0, folderSync: 0 }
    /** Counts a call; it never ends when the process is dead. */
    const call = async <Result>(work: () => Result | Promise<Result>): Promise<Result> => {
      counts.call += 1
      if (faults.diesBefore !== undefined && counts.call >= faults.diesBefore) {
        death.resolve()
        return new Promise<Result>(() => undefined)
      }
      await Promise.resolve()
      return work()
    }
    const write = (file: DiskNode, bytes: Uint8Array, position: number): { bytesWritten: number } => {
      if (file.kind === 'folder') throw systemError('EISDIR', 'write')
      counts.write += 1
      const fails = counts.write === faults.failedWrite
      const most = fails ? bytes.length / 2 : (faults.writesAtMost ?? bytes.length)
      const taken = Buffer.from(bytes.subarray(0, most))
      change({ kind: 'write', node: file, offset: position, bytes: taken })
      if (fails) throw systemError('ENOSPC', 'write')
      return { bytesWritten: taken.length }
    }
    const sync = async (node: DiskNode): Promise<void> => {
      const before = steps.length
      const count = node.kind === 'file' ? (counts.fileSync += 1) : (counts.folderSync += 1)
      const failed = node.kind === 'file' ? faults.failedFileSync : faults.failedFolderSync
      // A disk takes longer than anything else that goes on meanwhile.
      await nextTurn()
      steps.push({ kind: count === failed ? 'failed_sync' : 'sync', node, before })
      if (count === failed) throw systemError('EIO', 'fsync')
    }
    const openFile = (path: string, flags: 'r' | 'w' | 'wx'): DiskFile => {
      const node = openNode(path, flags)
      return {
        write: (bytes, offset, length, position) =>
          call(() => write(node, bytes.subarray(offset, offset + length), position)),
        truncate: (size) =>
          call(() => {
            if (node.kind === 'file') change({ kind: 'truncate', node, size })
          }),
        sync: () => call(() => sync(node)),
        stat: () => call(() => ({ ino: node.ino })),
        close: () => call(() => undefined),
      }
    }
    const disk: Disk = {
      mkdir: (path) =>
        call(() => {
          if (find(root, path) !== null) throw systemError('EEXIST', path)
          link(path, newFolder())
        }),
      open: (path, flags) => call(() => openFile(path, flags)),
      readdir: (path) =>
        call(() => {
          const folder = existing(path)
          return folder.kind === 'folder' ? [...folder.entries.keys()] : []
        }),
      readFile: (path) =>
        call(() => {
          const file = existing(path)
          return file.kind === 'file' ? Buffer.from(file.bytes) : Buffer.alloc(0)
        }),
      rename: (from, to) =>
        call(() => {
          existing(from)
          change({ kind: 'rename', node: parentOf(from), name: basename(from), to: basename(to) })
        }),
      rm: (path) =>
        call(() => {
          if (find(root, path) !== null)
            change({ kind: 'unlink', node: parentOf(path), name: basename(path) })
        }),
      stat: (path) => call(() => toStat(existing(path))),
    }
    return { disk, died: death.promise }
  }

  return { root, steps, note: (note) => void steps.push({ kind: 'note', note }), forProcess }
}

/** Makes a change to the node that it is of. */
export const apply = (change: FileChange | FolderChange): void => {
  if (change.kind === 'write' || change.kind === 'truncate')
    change.node.bytes = applyTo(change.node.bytes, change)
  else applyToEntries(change.node.entries, change)
}

/** What a file holds after a change of it. What lies between its end and a write further on is zeros. */
export const applyTo = (bytes: Buffer, change: FileChange): Buffer => {
  const size =
    change.kind === 'truncate' ? change.size : Math.max(bytes.length, change.offset + change.bytes.length)
  const result = Buffer.alloc(size)
  bytes.copy(result)
  if (change.kind === 'write') change.bytes.copy(result, change.offset)
  return result
}

export const applyToEntries = (entries: Map<string, DiskNode>, change: FolderChange): void => {
  if (change.kind === 'link') entries.set(change.name, change.target)
  else {
    const target = entries.get(change.name)
    entries.delete(change.name)
    if (change.kind === 'rename' && target !== undefined) entries.set(change.to, target)
  }
}

/** The names in a path: there are few paths, and each is looked up a hundred thousand times. */
const namesOf = new Map<string, string[]>()

const namesIn = (path: string): string[] => {
  const known = namesOf.get(path) ?? path.split('/').filter((part) => part !== '')
  namesOf.set(path, known)
  return known
}

const find = (root: FolderNode, path: string): DiskNode | null => {
  let node: DiskNode | undefined = root
  for (const name of namesIn(path)) node = node?.kind === 'folder' ? node.entries.get(name) : undefined
  return node ?? null
}

const toStat = (node: DiskNode) => ({
  ino: node.ino,
  size: node.kind === 'file' ? node.bytes.length : 0,
  ctimeMs: 0,
  isDirectory: () => node.kind === 'folder',
})

const systemError = (code: string, what: string): Error =>
  Object.assign(new Error(`${code}: ${what}`), { code })
