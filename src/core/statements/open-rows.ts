import { readCsvRows } from './csv-rows.ts'
import type { StatementRow } from './rows.ts'
import { StatementError } from './statement-error.ts'
import { type RandomAccess, readXlsxRows } from './xlsx-rows.ts'

/** What files begin with, in the letters of Latin-1, that people give for statements. */
const BEGINNINGS: readonly [string, string][] = [
  ['\xD0\xCF\x11\xE0', 'this is an XLS of the old kind: save it as XLSX or CSV'],
  ['%PDF', 'this is a PDF: export the statement as CSV or Excel'],
  ['<', 'this is a page or XML: export the statement as CSV or Excel'],
]

/** The rows of a file; where each has as many cells as the row of columns, one with fewer was cut short. */
export type OpenRows = { rows: AsyncGenerator<StatementRow>; areFilled: boolean }

/** The rows of a statement, CSV or XLSX as its first bytes say. Throws `StatementError` for any other kind of file. */
export const openRows = async (file: RandomAccess): Promise<OpenRows> => {
  const beginning = await beginningOf(file)
  const known = BEGINNINGS.find(([bytes]) => beginning.startsWith(bytes))
  if (known !== undefined) throw new StatementError(known[1])
  return beginning.startsWith('PK\x03\x04')
    ? { rows: readXlsxRows(file), areFilled: false }
    : { rows: readCsvRows(file.read(0, file.size)), areFilled: true }
}

const beginningOf = async (file: RandomAccess): Promise<string> => {
  const chunks = await Array.fromAsync(file.read(0, Math.min(4, file.size)))
  return Buffer.concat(chunks).toString('latin1')
}
