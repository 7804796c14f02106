import { parseStatementTime } from './cells.ts'
import type { DaysSince, StatementRow } from './rows.ts'

/** What stands above the lines of a statement; null: it does not say. */
export type StatementHead = {
  /** The paybill or till that it is of. */
  shortcode: string | null
  /** Which of the organisation's accounts, like `Utility Account`. */
  account: string | null
  /** The first and the last instant that it covers. */
  from: Date | null
  to: Date | null
  /** When it was exported. */
  reportedAt: Date | null
}

const LABEL = /^(short ?code|account|time period|date of report)\s*:\s*(.*)$/is

/**
 * Reads the rows above the columns: a label, and beside it what it names. The period has both its ends in one cell or
 * in cells of their own, after the words "From" and "To".
 */
export const readHead = (rows: readonly StatementRow[]): StatementHead => {
  const values = new Map(rows.flatMap(({ cells }) => labelled(cells)))
  const period = values.get('time period') ?? ''
  const { daysSince = 1900 } = rows[0] ?? {}
  return {
    shortcode: /^\d{5,9}$/.exec(values.get('shortcode') ?? '')?.[0] ?? null,
    account: values.get('account') || null,
    from: instantAfter('from', period, daysSince),
    to: instantAfter('to', period, daysSince),
    reportedAt: instantOf(values.get('date of report') ?? '', daysSince),
  }
}

/** The labels of a row with all that follows each up to the next one. */
const labelled = (cells: readonly string[]): [string, string][] => {
  const filled = cells.map((cell) => cell.trim()).filter((cell) => cell !== '')
  const found: [string, string][] = []
  for (const cell of filled) {
    const [, label, rest = ''] = LABEL.exec(cell) ?? []
    const last = found.at(-1)
    if (label !== undefined) found.push([label.toLowerCase().replace('short code', 'shortcode'), rest])
    else if (last) last[1] = `${last[1]} ${cell}`.trim()
  }
  return found
}

const instantAfter = (word: 'from' | 'to', period: string, daysSince: DaysSince): Date | null => {
  const end = word === 'from' ? String.raw`(?=\s+to\b|$)` : '$'
  const text = new RegExp(String.raw`\b${word}:?\s+([\d/: AMPT-]+?)\s*${end}`, 'i').exec(period)?.[1] ?? ''
  return instantOf(text, daysSince)
}

const instantOf = (text: string, daysSince: DaysSince): Date | null => {
  const parsed = parseStatementTime(text, daysSince)
  return parsed.ok ? parsed.value : null
}
