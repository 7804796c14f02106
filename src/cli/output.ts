import type { Row } from '../runtime/message-row.ts'
import { createRedact } from '../runtime/redact.ts'
import { toVisibleLine, toVisibleLines } from '../values/visible-text.ts'

// Nothing that others wrote (partners, Daraja, payers) reaches the terminal as anything but text: all output goes
// through here.

/** A message for a person who can mend what is wrong; `main` prints it without a stack. */
export class CommandError extends Error {
  override name = 'CommandError'
}

/** Prints a value as one line of JSON, ids as numbers and instants in ISO 8601 UTC: what scripts read. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${toJson(value)}\n`)
}

const toJson = (value: unknown): string =>
  toVisibleLines(JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? Number(one) : one)))

/** Prints a value for a script that asked for JSON, else lines for a person. */
export const print = (options: { json?: true }, value: unknown, lines: string | readonly string[]): void => {
  if (options.json) printJson(value)
  else for (const line of [lines].flat()) printLine(line)
}

/**
 * Prints what is shown this once: a value as JSON, or lines for a person. Resolves when it is written. Where it cannot
 * be, the process fails and says `lost` to standard error: what was made, and how to come by another.
 */
export const printOnce = (
  options: { json?: true },
  shown: { value: unknown; lines: readonly string[]; lost: string },
): Promise<void> =>
  new Promise((resolve) => {
    const text = options.json ? toJson(shown.value) : shown.lines.map(toVisibleLine).join('\n')
    process.stdout.write(`${text}\n`, (error) => {
      if (error) {
        process.exitCode = 1
        process.stderr.write(`${shown.lost}\n`)
      }
      resolve()
    })
  })

export const printLine = (line: string): void => {
  process.stdout.write(`${toVisibleLine(line)}\n`)
}

/**
 * Prints rows: all of them as JSON, or their `columns` (all, unless named) as a table under their names; `none` when
 * there are no rows.
 */
export const printRows = (
  options: { json?: true },
  rows: readonly Row[],
  table: { none: string; columns?: readonly string[] },
): void => {
  if (options.json) printJson(rows)
  else printTable(rows, table.none, table.columns)
}

/** Prints rows as a table. */
export const printTable = (rows: readonly Row[], none: string, columns?: readonly string[]): void => {
  const [first] = rows
  if (!first) return printLine(none)
  const names = columns ?? Object.keys(first)
  const lines = [names, ...rows.map((row) => names.map((name) => toVisibleLine(toText(row[name]))))]
  const widths = names.map((_name, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  for (const line of lines)
    printLine(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

/**
 * Prints rows as CSV, `columns` first; what a spreadsheet would take for a formula is text. What writes it is read only
 * here, for few commands do.
 */
export const printCsv = async (columns: readonly string[], rows: readonly Row[]): Promise<void> => {
  const { stringify } = await import('csv-stringify/sync')
  const cells = rows.map((row) => columns.map((name) => (row[name] === null ? '' : toText(row[name]))))
  process.stdout.write(toVisibleLines(stringify([[...columns], ...cells], { escape_formulas: true })))
}

/** Prints one thing: as JSON, or a field a line. */
export const printFields = (options: { json?: true }, row: Row): void => {
  if (options.json) return printJson(row)
  const width = Math.max(...Object.keys(row).map((name) => name.length)) + 2
  for (const [name, value] of Object.entries(row)) printLine(`${name.padEnd(width)}${toText(value)}`)
}

const redact = createRedact()

/**
 * A row as it is shown to whoever has not asked for more: without anything in its texts that must not be read whole.
 */
export const maskRow = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]),
  )

/** A value as a person reads it. */
export const toText = (value: unknown): string => {
  if (value === null || value === undefined) return '-'
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return value.map(toText).join(', ')
  return value instanceof Date ? value.toISOString() : JSON.stringify(value)
}
