import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'

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
