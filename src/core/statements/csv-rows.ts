import { Readable } from 'node:stream'
import { CsvError, type CsvErrorCode, parse } from 'csv-parse'
import { LONGEST_CELL, MOST_CELLS, type StatementRow } from './rows.ts'
import { StatementError } from './statement-error.ts'

/** What stands between cells: the portal writes commas; spreadsheets of some languages semicolons, or tabs. */
const DELIMITERS = [',', ';', '\t']

/** Bytes among which the row that names the columns stands. */
const HEAD_BYTES = 64 * 1024

/** How csv-parse hands over a record, with `info`. */
type Parsed = { record: string[]; info: { lines: number } }

/**
 * The rows of a CSV file, read as they come: with or without a byte order mark, lines ended by CRLF, LF or CR, quoted
 * cells with delimiters and line ends in them. Throws `StatementError` for what is no CSV, and what `source` throws.
 */
export async function* readCsvRows(source: AsyncIterable<Uint8Array>): AsyncGenerator<StatementRow> {
  const chunks = source[Symbol.asyncIterator]()
  const head = await readHead(chunks)
  requireText(head)
  const input = Readable.from(following(head, chunks), { objectMode: false })
  const parser = parse({
    bom: true,
    delimiter: delimiterOf(head),
    info: true,
    max_record_size: MOST_CELLS * LONGEST_CELL,
    relax_column_count: true,
    // A name may have a quote in it.
    relax_quotes: true,
    skip_empty_lines: true,
  })
  input.once('error', (error) => parser.destroy(error))
  parser.once('close', () => input.destroy())
  try {
    // csv-parse counts the line on which a record ends, and a CRLF within a cell twice.
    let countedTwice = 0
    for await (const { record, info } of input.pipe(parser) as AsyncIterable<Parsed>) {
      const within = countWithin(record, /\r\n|[\r\n]/g)
      countedTwice += countWithin(record, /\r\n/g)
      const line = info.lines - countedTwice - within
      yield { line, cells: judged(record, line), daysSince: 1900 }
    }
  } catch (error) {
    throw error instanceof CsvError ? toStatementError(error) : error
  }
}

const readHead = async (chunks: AsyncIterator<Uint8Array>): Promise<Buffer> => {
  const read: Uint8Array[] = []
  let bytes = 0
  while (bytes < HEAD_BYTES) {
    const { done, value } = await chunks.next()
    if (done === true) break
    read.push(value)
    bytes += value.length
  }
  return Buffer.concat(read)
}

async function* following(head: Buffer, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head
  yield* { [Symbol.asyncIterator]: () => chunks }
}

/** A text in UTF-16 is not taken for one in UTF-8 with holes, nor an image for a table. */
const requireText = (head: Buffer): void => {
  if (head.length === 0) throw new StatementError('the file is empty: export the statement again')
  if (head.includes(0)) {
    throw new StatementError('the file is no text in UTF-8: save it as "CSV UTF-8", or give the XLSX')
  }
}

/** The delimiter that stands beside the name of the column of receipts. */
const delimiterOf = (head: Buffer): string => {
  const [, after, before] = BESIDE_RECEIPT.exec(head.toString('latin1')) ?? []
  return DELIMITERS.find((delimiter) => delimiter === (after ?? before)) ?? ','
}

const BESIDE_RECEIPT = /receipt no\.?"?([,;\t])|([,;\t])"?receipt no/i

const countWithin = (record: readonly string[], pattern: RegExp): number =>
  record.reduce((sum, cell) => sum + (cell.match(pattern)?.length ?? 0), 0)

const judged = (record: readonly string[], line: number): readonly string[] => {
  if (record.length > MOST_CELLS) {
    throw new StatementError(`has more than ${MOST_CELLS} cells: is it a statement?`, { line })
  }
  if (record.some((cell) => cell.length > LONGEST_CELL)) {
    throw new StatementError(`has a cell of more than ${LONGEST_CELL} characters: is a quote missing?`, {
      line,
    })
  }
  return record
}

const PROBLEMS: Partial<Record<CsvErrorCode, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed: the file is cut short, or a quote is missing',
  CSV_MAX_RECORD_SIZE: 'is longer than any line of a statement: is a quote missing?',
  CSV_INVALID_CLOSING_QUOTE: 'something follows a closing quote: a quote in a cell is written twice',
}

const toStatementError = (error: CsvError): StatementError => {
  const lines: unknown = error['lines']
  const where = typeof lines === 'number' ? { line: lines } : {}
  return new StatementError(PROBLEMS[error.code] ?? 'is no CSV: export the statement again', where)
}
