import { type FileHandle, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Mark, mergeMarks } from './mark.ts'

// Each process that gives out numbers writes a mark of its own, `<name>.mark`, whole or not at all: a new file takes
// the place of the last by one rename. A process that starts takes over what others have left, dead or alive: what it
// read is durable in its own mark before any other is removed, so what is known is in the folder at every instant. A
// live process whose mark was removed writes it again with the next change.

/** How the names of marks end; every other file of the folder is somebody else's. */
export const MARK_END = '.mark'

/** And those of marks that were not written to their end. */
const UNFINISHED = '.tmp'

/** For the gateway's own user, as everything in this folder. */
const FILE_MODE = 0o600

/** The mark of one process. */
export type MarkFile = {
  /** Resolves once the mark is on the disk, in the place of the last. */
  write(mark: Mark): Promise<void>
  /** Writes the mark and removes those of others; resolves with what all of them say together, which is written too. */
  takeOver(mark: Mark): Promise<Mark>
}

/** What the marks of a folder say together, null without any, and the files that are damaged. */
export type MarksRead = { mark: Mark | null; damaged: string[] }

export const openMarkFile = (folder: string, name: string): MarkFile => {
  const own = name + MARK_END
  const write = (mark: Mark): Promise<void> => replaceFile(folder, own, encodeMark(mark))

  const takeOne = async (mark: Mark, other: string, taken: string): Promise<Mark> => {
    if (!(await renameIfThere(join(folder, other), join(folder, taken)))) return mark
    // Its process writes another file from here on: this one is not changed any more.
    const held = decodeMark((await readIfThere(join(folder, taken))) ?? '')
    const merged = (held && mergeMarks([mark, held])) ?? mark
    await write(merged)
    await rm(join(folder, taken), { force: true })
    return merged
  }

  const takeOver = async (mark: Mark): Promise<Mark> => {
    await write(mark)
    const others = (await markNames(folder)).filter((one) => one !== own)
    let merged = mark
    for (const [index, other] of others.entries()) {
      merged = await takeOne(merged, other, `${name}-${index}${MARK_END}`)
    }
    await removeUnfinished(folder)
    return merged
  }
  return { write, takeOver }
}

/** Reads all marks of a folder; a folder that is not there has none. Those that are damaged are left out and named. */
export const readMarks = async (folder: string): Promise<MarksRead> => {
  for (;;) {
    const names = await markNames(folder)
    const texts = await Promise.all(names.map((name) => readIfThere(join(folder, name))))
    // One that is gone is another by now: whoever took it over has what it held.
    if (texts.includes(null)) continue
    const marks = texts.map((text) => decodeMark(text ?? ''))
    return {
      mark: mergeMarks(marks.filter((mark) => mark !== null)),
      damaged: names.filter((_name, index) => marks[index] === null).map((name) => join(folder, name)),
    }
  }
}

/** Renames a damaged mark to a name that no process reads; returns that name. */
export const quarantineDamaged = async (path: string): Promise<string> => {
  const quarantined = `${path}.damaged`
  await renameIfThere(path, quarantined)
  return quarantined
}

const markNames = (folder: string): Promise<string[]> =>
  readdir(folder).then(
    (names) => names.filter((name) => name.endsWith(MARK_END)).sort(),
    (error: unknown) => {
      if (isMissing(error)) return []
      throw error
    },
  )

/** Removes what processes left that were killed while they wrote. One that lives and misses its own writes it again. */
const removeUnfinished = async (folder: string): Promise<void> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(MARK_END + UNFINISHED))
  for (const name of names) await rm(join(folder, name), { force: true })
}

/** What a file holds; null when it is gone. */
const readIfThere = (path: string): Promise<string | null> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return null
    throw error
  })

/** False when the file is gone. */
const renameIfThere = (from: string, to: string): Promise<boolean> =>
  rename(from, to).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false
      throw error
    },
  )

/** Puts a whole, durable file in the place of the last: after a crash either is found. */
const replaceFile = async (folder: string, name: string, text: string): Promise<void> => {
  const path = join(folder, name)
  crashPoint('mark.before_write')
  do await syncAfter(path + UNFINISHED, 'w', (handle) => handle.writeFile(text))
  while (!(await renameIfThere(path + UNFINISHED, path)))
  await syncAfter(folder, 'r', () => Promise.resolve())
  crashPoint('mark.after_write')
}

const syncAfter = async (
  path: string,
  flags: string,
  work: (handle: FileHandle) => Promise<void>,
): Promise<void> => {
  const handle = await open(path, flags, FILE_MODE)
  try {
    await work(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** A mark as a file: JSON on one line, and its checksum on the next. */
const encodeMark = (mark: Mark): string => {
  const versioned = { version: 1, ...mark }
  const json = toJson(versioned)
  return `${json}\n${checksumOf(json)}\n`
}

/** True when both say the same, whenever they were written. */
export const isSameMark = (one: Mark, other: Mark): boolean => withoutTime(one) === withoutTime(other)

const withoutTime = (mark: Mark): string => {
  const timeless = { ...mark, writtenAtMs: 0 }
  return toJson(timeless)
}

const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? one.toString() : one))

/** Reads a mark; null when it is torn, damaged, or not one that this release understands. */
const decodeMark = (text: string): Mark | null => {
  const [json = '', checksum, end] = text.split('\n')
  if (end !== '' || checksum !== checksumOf(json)) return null
  const parsed = recordedMark.safeParse(parseJson(json))
  return parsed.success ? parsed.data : null
}

const checksumOf = (text: string): string => crc32(text).toString(16).padStart(8, '0')

const number = z.string().regex(/^\d+$/).transform(BigInt)
const numbers = z.record(z.string(), number)

const recordedMark = z.object({
  version: z.literal(1),
  writtenAtMs: z.number(),
  identity: z.object({ system: z.string(), timeline: z.string(), database: z.string(), epoch: z.string() }),
  lineage: z.string(),
  seen: numbers,
  ceilings: numbers,
  newestPayment: number.nullable(),
  alarm: z
    .object({
      kind: z.enum(['older', 'another']),
      at: z.string(),
      epoch: z.string(),
      fell: z.array(z.object({ sequence: z.string(), found: number, seen: number })),
      missing: z.object({ above: number, upTo: number }),
    })
    .nullable(),
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
