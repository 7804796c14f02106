import { Readable } from 'node:stream'
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl'
import type { StatementRow } from './rows.ts'
import { readSharedStrings } from './shared-strings.ts'
import { StatementError } from './statement-error.ts'
import { countsFrom1904 } from './workbook.ts'
import { readSheet } from './xlsx-sheet.ts'

/** A file of which any part can be read; `read` has the bytes from `from` on and below `below`. */
export type RandomAccess = {
  size: number
  read: (from: number, below: number) => AsyncIterable<Uint8Array>
}

/** What is taken at most of what a file unfolds into: a zip of a few kilobytes can unfold into terabytes. */
const MOST_ENTRIES = 1_000
const MOST_SHEET_BYTES = 2 * 1024 ** 3
const MOST_STRINGS_BYTES = 256 * 1024 ** 2

/**
 * The rows of the first sheet of an XLSX file, read as they unfold: what is in memory is what the cells share as texts,
 * and a few rows. Throws `StatementError` for what is no XLSX, unfolds into too much, or declares entities of its own.
 */
export async function* readXlsxRows(file: RandomAccess): AsyncGenerator<StatementRow> {
  const zip = await orNoXlsx(() => fromRandomAccessReaderPromise(new Reader(file), file.size, ZIP_OPTIONS))
  try {
    const entries = await orNoXlsx(() => findEntries(zip))
    const strings =
      entries.strings === null
        ? []
        : await readSharedStrings(unfold(zip, entries.strings, MOST_STRINGS_BYTES))
    const isFrom1904 =
      entries.workbook !== null && (await countsFrom1904(unfold(zip, entries.workbook, MOST_STRINGS_BYTES)))
    const daysSince = isFrom1904 ? 1904 : 1900
    yield* readSheet(unfold(zip, entries.sheet, MOST_SHEET_BYTES), { strings, daysSince })
  } finally {
    zip.close()
  }
}

const ZIP_OPTIONS = { autoClose: false, lazyEntries: true, validateEntrySizes: true, strictFileNames: true }

/** Reads the zip out of whatever holds the file. */
class Reader extends RandomAccessReader {
  readonly #file: RandomAccess
  constructor(file: RandomAccess) {
    super()
    this.#file = file
  }
  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#file.read(start, end), { objectMode: false })
  }
}

type Entries = { sheet: Entry; strings: Entry | null; workbook: Entry | null }

const findEntries = async (zip: ZipFile): Promise<Entries> => {
  if (zip.entryCount > MOST_ENTRIES) throw new StatementError('the XLSX holds more files than any workbook')
  const entries = await Array.fromAsync(zip.eachEntry())
  const [sheet] = entries
    .filter(({ fileName }) => /^xl\/worksheets\/[^/]+\.xml$/.test(fileName))
    .sort((one, other) => numberIn(one) - numberIn(other))
  if (sheet === undefined) throw new StatementError('the file is a zip and no XLSX: it has no sheet')
  const find = (name: string): Entry | null => entries.find(({ fileName }) => fileName === name) ?? null
  return { sheet, strings: find('xl/sharedStrings.xml'), workbook: find('xl/workbook.xml') }
}

const numberIn = ({ fileName }: Entry): number => Number(/\d+/.exec(fileName)?.[0] ?? 0)

/** The bytes of a file of the zip, as text is read from them, no more than `most`. */
async function* unfold(zip: ZipFile, entry: Entry, most: number): AsyncGenerator<Buffer> {
  let bytes = 0
  const stream = await orNoXlsx(() => zip.openReadStreamPromise(entry))
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await orNoXlsx(() => chunks.next())
      if (done === true) return
      bytes += value.length
      if (bytes > most) {
        throw new StatementError('the XLSX unfolds into more than any statement holds: export it as CSV')
      }
      yield value
    }
  } finally {
    stream.destroy()
  }
}

/** What a library says of a broken zip is said in our words; what the file's holder throws stays what it is. */
const orNoXlsx = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StatementError || !isOfZip(error)) throw error
    throw new StatementError('the XLSX is broken or cut short: export the statement again')
  }
}

/** zlib's errors have codes; those of yauzl are plain. */
const isOfZip = (error: unknown): boolean =>
  error instanceof Error &&
  (error.constructor === Error ||
    ('code' in error && /^(?:Z_|ERR_(?:BUFFER|OUT_OF))/.test(String(error.code))))
