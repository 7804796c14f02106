import { statfs } from 'node:fs/promises'

/** The file system in memory that Linux has. */
const SHARED_MEMORY = '/dev/shm'
/** What `statfs` says of one. */
const TMPFS = 0x0102_1994
/** Several times what a run of the suite has in files at once. */
const ROOM_BYTES = 4 * 1024 ** 3

/**
 * The folder whose files are kept in memory, where the machine has room for those of a run; else null. What is written there need
 * not reach a disk, for which a small transaction takes six times the CPU.
 */
export const findMemory = async (folder = SHARED_MEMORY, roomBytes = ROOM_BYTES): Promise<string | null> => {
  const found = await statfs(folder).catch(() => null)
  if (found?.type !== TMPFS) return null
  const hasRoom = found.bavail * found.bsize >= roomBytes && process.availableMemory() >= roomBytes
  return hasRoom ? folder : null
}
