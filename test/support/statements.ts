import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'
import type { StatementHead } from '../../src/core/statements/head.ts'
import { openRows } from '../../src/core/statements/open-rows.ts'
import { readStatement, type StatementLine } from '../../src/core/statements/read-statement.ts'
import type { RandomAccess } from '../../src/core/statements/xlsx-rows.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures/statements')

/** A file of test/fixtures/statements. */
export const statementFixture = (name: string): Promise<Buffer> => readFile(join(FIXTURES, name))

/** Bytes as a file that is read in pieces of so many bytes. */
export const fileOf = (bytes: Buffer, pieceBytes = 7_000): RandomAccess => ({
  size: bytes.length,
  read: async function* (from, below) {
    for (let at = from; at < below; at += pieceBytes)
      yield bytes.subarray(at, Math.min(at + pieceBytes, below))
  },
})

/** A zip of these files. */
export const zipOf = (files: Readonly<Record<string, Buffer | string>>): Promise<Buffer> => {
  const zip = new ZipFile()
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name)
  zip.end()
  return buffer(zip.outputStream)
}

/** The workbook whose parts are in the fixtures, or others in their place. */
export const portalXlsx = async (parts: Readonly<Record<string, Buffer | string>> = {}): Promise<Buffer> =>
  zipOf({
    '[Content_Types].xml': '<Types/>',
    'xl/workbook.xml': '<workbook/>',
    'xl/sharedStrings.xml': await statementFixture('xlsx/sharedStrings.xml'),
    'xl/worksheets/sheet1.xml': await statementFixture('xlsx/sheet1.xml'),
    ...parts,
  })

/** All of a statement. */
export const readWhole = async (
  bytes: Buffer,
  pieceBytes?: number,
): Promise<{ head: StatementHead; lines: StatementLine[] }> => {
  const { head, lines } = await readStatement(await openRows(fileOf(bytes, pieceBytes)))
  return { head, lines: await Array.fromAsync(lines) }
}
