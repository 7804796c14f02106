import { Readable } from 'node:stream'
import { stringify } from 'csv-stringify'
import type { FastifyReply } from 'fastify'

/** A list as CSV. */
export type CsvList = {
  /** What the file is called, without its ending: `payments`. */
  readonly name: string
  readonly columns: readonly string[]
  /** Its rows, a cell for each column; read as fast as they are taken, so that no list is too long. */
  readonly rows: AsyncIterable<readonly CsvCell[]>
}

export type CsvCell = string | number | bigint | boolean | Date | null | undefined

/**
 * Sends a list as it is read, instants in ISO 8601 UTC. A cell that a spreadsheet would take for a formula gets an
 * apostrophe before it, for partners and payers wrote some of them.
 */
export const sendCsv = (reply: FastifyReply, list: CsvList, now: Date): FastifyReply => {
  const file = `${list.name}-${now.toISOString().slice(0, 19).replaceAll(/[:T]/g, '-')}.csv`
  const writer = stringify({ header: true, columns: [...list.columns], bom: true, escape_formulas: true })
  const rows = Readable.from(texts(list.rows))
  rows.on('error', (error) => writer.destroy(error))
  writer.on('close', () => rows.destroy())
  return reply
    .header('content-type', 'text/csv; charset=utf-8')
    .header('content-disposition', `attachment; filename="${file}"`)
    .send(rows.pipe(writer))
}

const texts = async function* (rows: CsvList['rows']): AsyncGenerator<string[]> {
  for await (const row of rows) yield row.map(textOf)
}

const textOf = (cell: CsvCell): string => {
  if (cell === null || cell === undefined) return ''
  return cell instanceof Date ? cell.toISOString() : String(cell)
}

/**
 * All rows of a list that is read by keyset, page after page: `read` is given where to begin (null: at the beginning),
 * and says where the next page does, null after the last.
 */
export const everyPage = async function* <Row, Cursor>(
  read: (cursor: Cursor | null) => Promise<{ rows: readonly Row[]; next: Cursor | null }>,
): AsyncGenerator<Row> {
  for (let cursor: Cursor | null = null; ; ) {
    const { rows, next }: { rows: readonly Row[]; next: Cursor | null } = await read(cursor)
    yield* rows
    if (next === null) return
    cursor = next
  }
}
