import type { StatementRow } from './rows.ts'
import { StatementError } from './statement-error.ts'

/**
 * The columns that are read, by the names that exports have for them; all others are passed over. Of when it was begun and
 * of the balance only the form is looked at: what has another shows that cells stand under other columns than their own.
 */
const NAMES = {
  receipt: ['Receipt No.', 'Receipt', 'Receipt Number'],
  completedAt: ['Completion Time'],
  initiatedAt: ['Initiation Time'],
  status: ['Transaction Status', 'Status'],
  paidIn: ['Paid In'],
  withdrawn: ['Withdrawn'],
  balance: ['Balance'],
  reason: ['Reason Type', 'Transaction Type'],
  linked: ['Linked Transaction ID'],
  account: ['A/C No.', 'Account No.', 'Account Number'],
} as const

export type ColumnName = keyof typeof NAMES

/** Without these a file is no statement. */
const NEEDED = ['receipt', 'completedAt', 'status', 'paidIn'] as const satisfies readonly ColumnName[]

/** Where a column stands, from 0, and what it is called in the file. */
export type Column = { at: number; title: string }

/** The columns that a file has; those of `NEEDED` are always among them. */
export type Columns = Readonly<Record<(typeof NEEDED)[number], Column> & Partial<Record<ColumnName, Column>>>

/**
 * The columns that a row names, in whatever order and with whatever others between; null when it is not the row that
 * does. Throws `StatementError` when it names some that are needed and not all, or one twice.
 */
export const findColumns = ({ line, cells }: StatementRow): Columns | null => {
  const found = new Map<ColumnName, Column>()
  for (const [at, title] of cells.entries()) {
    const name = BY_TITLE.get(plain(title))
    if (name === undefined) continue
    if (found.has(name))
      throw new StatementError('stands twice in the row of columns', { line, column: title })
    found.set(name, { at, title: title.trim() })
  }
  if (!found.has('receipt') || found.size < 2) return null
  const missing = NEEDED.filter((name) => !found.has(name)).map((name) => `"${NAMES[name][0]}"`)
  if (missing.length > 0) {
    throw new StatementError(
      `has no column ${missing.join(', ')}: export the statement with all its columns`,
      {
        line,
      },
    )
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- those that are needed are there
  return Object.fromEntries(found) as Columns
}

/** What of a title counts: exports differ in blanks, stops and capitals. */
const plain = (title: string): string => title.toLowerCase().replaceAll(/[^a-z]/g, '')

const BY_TITLE: ReadonlyMap<string, ColumnName> = new Map(
  Object.entries(NAMES).flatMap(([name, titles]) =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names of the table above
    titles.map((title): [string, ColumnName] => [plain(title), name as ColumnName]),
  ),
)

/** By these a line is known that gave something back. */
const OF_WHAT_WENT_BACK = ['withdrawn', 'reason'] as const satisfies readonly ColumnName[]

/** What a file cannot show for want of a column, as a sentence for a person; null: it has all that count. */
export const cautionOf = (columns: Columns): string | null => {
  const missing = OF_WHAT_WENT_BACK.filter((name) => columns[name] === undefined).map(
    (name) => `"${NAMES[name][0]}"`,
  )
  return missing.length === 0
    ? null
    : `The file has no column ${missing.join(' and no column ')}: what M-PESA gave back to payers is not among what was found. Export the statement with all its columns, and import that too.`
}

/** What the row of columns is looked for by, for a message. */
export const NEEDED_TITLES = NEEDED.map((name) => `"${NAMES[name][0]}"`).join(', ')
