import type { Parsed } from '../../values/parsed.ts'
import { parseStatementReceipt } from '../../values/receipt.ts'
import { parseStatementAmount, parseStatementStatus, parseStatementTime } from './cells.ts'
import { type ColumnName, type Columns, cautionOf, findColumns, NEEDED_TITLES } from './columns.ts'
import { readHead, type StatementHead } from './head.ts'
import type { OpenRows } from './open-rows.ts'
import type { StatementRow } from './rows.ts'
import { StatementError } from './statement-error.ts'

/** One line of a statement. Who paid is not among it: nothing here needs it. */
export type StatementLine = {
  /** Where it stands in the file, from 1. */
  line: number
  receipt: string
  completedAt: Date
  /** Only what was completed moved money. */
  isCompleted: boolean
  paidInCents: number
  withdrawnCents: number
  /** What the payer gave as the account: what Daraja was given as the AccountReference of a prompt. */
  reference: string | null
  /** M-PESA's word for what it is, like `Pay Utility`. */
  reason: string | null
  /** The receipt of another transaction that it belongs to, as a reversal does. */
  linkedReceipt: string | null
}

/** `caution`: what it cannot show for want of a column; null: nothing. */
export type Statement = {
  head: StatementHead
  caution: string | null
  lines: AsyncGenerator<StatementLine>
}

/** Rows among which the one that names the columns stands: the portal has it seventh. */
const HEAD_ROWS = 50

/** Characters of a reference or a reason that are kept. */
const KEPT_CHARACTERS = 64

/**
 * Reads a statement from its rows: what stands above the columns at once, the lines as they come. Throws `StatementError`
 * for what is none, and `lines` does for one that breaks off.
 */
export const readStatement = async ({ rows, areFilled }: OpenRows): Promise<Statement> => {
  const above: StatementRow[] = []
  while (above.length < HEAD_ROWS) {
    const { done, value } = await rows.next()
    if (done === true) break
    const columns = findColumns(value)
    if (columns !== null) {
      const leastCells = areFilled ? value.cells.length : 0
      return {
        head: readHead(above),
        caution: cautionOf(columns),
        lines: linesOf(rows, columns, leastCells),
      }
    }
    above.push(value)
  }
  await rows.return(undefined)
  throw new StatementError(
    `this is no statement of M-PESA: none of its first ${HEAD_ROWS} rows names the columns ${NEEDED_TITLES}`,
  )
}

async function* linesOf(
  rows: AsyncGenerator<StatementRow>,
  columns: Columns,
  leastCells: number,
): AsyncGenerator<StatementLine> {
  let usualCells: number | null = null
  for await (const row of rows) {
    const { line, cells } = row
    if (cells.every((cell) => cell.trim() === '')) continue
    if (cells.some((cell) => cell.includes('\0'))) {
      throw new StatementError('has a character that is none, of code 0: export the statement again', {
        line,
      })
    }
    if (cells.length < leastCells) {
      const problem = `has ${cells.length} cells and the row of columns ${leastCells}: is the file cut short?`
      throw new StatementError(problem, { line })
    }
    usualCells ??= cells.length
    if (leastCells > 0) refuseShifted(row, leastCells, usualCells)
    yield toLine(row, columns)
  }
}

/**
 * An amount with commas that is in no quotes is two cells or three, and moves all that follow it. A delimiter more at the end
 * of every line is none.
 */
const refuseShifted = ({ line, cells }: StatementRow, columns: number, usualCells: number): void => {
  if (cells.length === usualCells && cells.slice(columns).every((cell) => cell.trim() === '')) return
  throw new StatementError(
    `has ${cells.length} cells, the row of columns ${columns} and the first line ${usualCells}: amounts with commas must be in quotes, like "1,500.00"`,
    { line },
  )
}

const toLine = ({ line, cells, daysSince }: StatementRow, columns: Columns): StatementLine => {
  const textOf = (name: ColumnName): string => cells[columns[name]?.at ?? -1]?.trim() ?? ''
  const refuse = (name: ColumnName, problem: string): never => {
    throw new StatementError(problem, { line, column: columns[name]?.title ?? name })
  }
  const read = <Value>(name: ColumnName, parse: (text: string) => Parsed<Value>): Value => {
    const parsed = parse(textOf(name))
    return parsed.ok ? parsed.value : refuse(name, parsed.problem)
  }
  const moved = {
    isCompleted: read('status', parseStatementStatus).toLowerCase() === 'completed',
    paidInCents: read('paidIn', parseStatementAmount),
    // Exports write what was withdrawn with a minus and without.
    withdrawnCents: Math.abs(read('withdrawn', parseStatementAmount)),
  }
  if (moved.paidInCents < 0) refuse('paidIn', 'must not be below 0')
  if (moved.paidInCents > 0 && moved.withdrawnCents > 0) refuse('withdrawn', BOTH_WAYS)
  read('balance', parseStatementAmount)
  if (columns.balance !== undefined && moved.isCompleted && textOf('balance') === '')
    refuse('balance', NO_BALANCE)
  const readTime = (name: ColumnName): Date => read(name, (text) => parseStatementTime(text, daysSince))
  if (textOf('initiatedAt') !== '') readTime('initiatedAt')
  const linked = parseStatementReceipt(textOf('linked'))
  return {
    line,
    receipt: read('receipt', parseStatementReceipt),
    completedAt: readTime('completedAt'),
    ...moved,
    reference: textOf('account').slice(0, KEPT_CHARACTERS) || null,
    reason: textOf('reason').slice(0, KEPT_CHARACTERS) || null,
    linkedReceipt: linked.ok ? linked.value : null,
  }
}

// What is so only where the cells of a line stand under other columns than their own, which no single cell may show.

const BOTH_WAYS =
  'stands beside an amount that was paid in, and a line moves money one way: is each cell under its own column, and each amount with commas in quotes, like "1,500.00"?'
const NO_BALANCE =
  'is empty, and a completed line has a balance: is each cell under its own column? Where balances were taken out, take out their column'
