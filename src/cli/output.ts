import { toVisibleLine, toVisibleLines } from '../values/visible-text.ts'

// Nothing that others wrote (partners, Daraja, payers) reaches the terminal as anything but text: all output goes through here.

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

/**
 * Prints what is shown this once: a value as JSON, or lines for a person. Resolves when it is written. Where it cannot be,
 * the process fails and says `lost` to standard error: what was made, and how to come by another.
 */
export const printOnce = (
  shown: { json: true; value: unknown } | { json: false; lines: readonly string[] },
  lost: string,
): Promise<void> =>
  new Promise((resolve) => {
    const text = shown.json ? toJson(shown.value) : shown.lines.map(toVisibleLine).join('\n')
    process.stdout.write(`${text}\n`, (error) => {
      if (error) {
        process.exitCode = 1
        process.stderr.write(`${lost}\n`)
      }
      resolve()
    })
  })

export const printLine = (line: string): void => {
  process.stdout.write(`${toVisibleLine(line)}\n`)
}

/** Prints rows under their column names, in columns; `none` when there are no rows. */
export const printTable = (rows: readonly Record<string, unknown>[], none: string): void => {
  const [first] = rows
  if (!first) return printLine(none)
  const names = Object.keys(first)
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

/** A value as a person reads it. */
export const toText = (value: unknown): string => {
  if (value === null || value === undefined) return '-'
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return value.map(toText).join(', ')
  return value instanceof Date ? value.toISOString() : JSON.stringify(value)
}
