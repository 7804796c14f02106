import { readXml, type XmlHandler } from './read-xml.ts'
import { type DaysSince, LONGEST_CELL, MOST_CELLS, type StatementRow } from './rows.ts'
import { StatementError } from './statement-error.ts'

/** The rows of a sheet; cells that share their text name it by its number in `strings`. */
export async function* readSheet(
  chunks: AsyncIterable<Buffer>,
  { strings, daysSince }: { strings: readonly string[]; daysSince: DaysSince },
): AsyncGenerator<StatementRow> {
  const sheet = createSheet(strings, daysSince)
  for await (const _ of readXml(chunks, sheet.handler)) yield* sheet.taken()
}

type Cell = { at: number; type: string; value: string }

const createSheet = (
  strings: readonly string[],
  daysSince: DaysSince,
): { handler: XmlHandler; taken: () => StatementRow[] } => {
  let rows: StatementRow[] = []
  let line = 0
  let cells: string[] = []
  let cell: Cell | null = null
  let isValue = false

  const openCell = (attributes: Readonly<Record<string, string>>): void => {
    const at = columnOf(attributes['r'] ?? '') ?? cells.length
    if (at >= MOST_CELLS) {
      throw new StatementError(`has more than ${MOST_CELLS} cells: is it a statement?`, { line })
    }
    cell = { at, type: attributes['t'] ?? 'n', value: '' }
  }

  const closeCell = ({ at, type, value }: Cell): void => {
    while (cells.length < at) cells.push('')
    cells[at] = type === 's' ? (strings[Number(value)] ?? '') : value
    cell = null
  }

  const handler: XmlHandler = {
    open: (name, attributes) => {
      isValue = name === 'v' || name === 't'
      if (name === 'row') {
        line = lineOf(attributes['r']) ?? line + 1
        cells = []
      }
      if (name === 'c') openCell(attributes)
    },
    text: (text) => {
      if (isValue && cell !== null) cell.value = (cell.value + text).slice(0, LONGEST_CELL)
    },
    close: (name) => {
      isValue = false
      if (name === 'c' && cell !== null) closeCell(cell)
      if (name === 'row') rows.push({ line, cells, daysSince })
    },
  }
  const taken = (): StatementRow[] => {
    const ready = rows
    rows = []
    return ready
  }
  return { handler, taken }
}

const lineOf = (text: string | undefined): number | null =>
  /^\d{1,7}$/.test(text ?? '') ? Number(text) : null

const LETTERS = 26
const BEFORE_A = 64

/** `C7` is the third column, 2 from 0; null for what names none. */
const columnOf = (name: string): number | null => {
  const letters = /^([A-Z]{1,3})\d+$/.exec(name)?.[1]
  if (letters === undefined) return null
  let column = 0
  for (const letter of letters) column = column * LETTERS + letter.charCodeAt(0) - BEFORE_A
  return column - 1
}
