import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MARK_END } from '../../database/mark/mark-files.ts'
import type { Msisdn } from '../../values/msisdn.ts'

/** The spool cannot be read, so nobody knows whether it holds a payer's number. */
export class SpoolUnreadable extends Error {}

/** The names of the files of the spool in `folder`; none where there is no such folder. Throws `SpoolUnreadable`. */
export const listSpool = (folder: string): Promise<string[]> =>
  readdir(folder).catch(toNothing<string[]>([], 'ENOENT'))

/**
 * A file of the spool in `folder` that holds a payer's number, which would come back when it is replayed; null for none.
 * Throws `SpoolUnreadable`.
 */
export const findSpooled = async (folder: string, msisdn: Msisdn): Promise<string | null> => {
  for (const name of await listSpool(folder)) {
    // A mark holds no numbers of payers, and others that may have the same digits.
    if (name.endsWith(MARK_END)) continue
    const path = join(folder, name)
    // Replayed since, or no file at all: a disk of its own has a folder for what it once lost.
    const bytes = await readFile(path).catch(toNothing(Buffer.alloc(0), 'ENOENT', 'EISDIR'))
    if (bytes.includes(msisdn.slice(3))) return path
  }
  return null
}

/** Takes errors of these kinds for nothing being there. Any other may hide a callback. */
const toNothing =
  <Nothing>(nothing: Nothing, ...codes: string[]) =>
  (error: NodeJS.ErrnoException): Nothing => {
    if (error.code !== undefined && codes.includes(error.code)) return nothing
    throw new SpoolUnreadable(error.message, { cause: error })
  }
