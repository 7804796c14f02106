import { StatementError } from './statement-error.ts'

/** The receipts of today begin with the day in East Africa: the year (A is 2006), the month (A to L), the day (1 to V). */
const DATED_RECEIPT = /^([A-Z])([A-L])([1-9A-V])[A-Z0-9]{7}$/
const DAYS = '0123456789ABCDEFGHIJKLMNOPQRSTUV'
const FIRST_YEAR = 2006
const LETTERS = 26
const A = 65

const EAT_OFFSET_MS = 3 * 3_600_000
const DAY_MS = 24 * 3_600_000

type Seen = { line: number; receipt: string; completedAt: Date }

/**
 * Holds the times of a statement's lines against the days that their receipts begin with: `05/11/2026` is the 5th of November
 * or the 11th of May, and a file that does not say which time it covers gives no other sign. `requireRight` throws
 * `StatementError` once all were seen, where more receipts say that month and day are exchanged than say anything else that
 * the times do not. If M-PESA gives receipts of another form, they say that of nearly none.
 */
export const createDayJudge = () => {
  let [exchanged, others] = [0, 0]
  let firstLine: number | null = null
  return {
    see: ({ line, receipt, completedAt }: Seen): void => {
      const verdict = judge(receipt, completedAt)
      if (verdict === 'other') others += 1
      if (verdict !== 'exchanged') return
      exchanged += 1
      firstLine ??= line
    },
    requireRight: (): void => {
      if (firstLine === null || exchanged <= others) return
      throw new StatementError(
        'is of another day by its receipt, which has day and month exchanged: save the file with the day first, like 25-11-2026, or as 2026-11-25',
        { line: firstLine, column: 'Completion Time' },
      )
    },
  }
}

const judge = (receipt: string, completedAt: Date): 'fits' | 'exchanged' | 'other' => {
  const [, year = '', month = '', day = ''] = DATED_RECEIPT.exec(receipt) ?? []
  if (year === '') return 'other'
  const eat = new Date(completedAt.getTime() + EAT_OFFSET_MS)
  const [atYear, atMonth, atDay] = [eat.getUTCFullYear(), eat.getUTCMonth(), eat.getUTCDate()]
  if ((atYear - FIRST_YEAR) % LETTERS !== year.charCodeAt(0) - A) return 'other'
  const said = { month: month.charCodeAt(0) - A, day: DAYS.indexOf(day) }
  // Around midnight it is begun on one day and completed on another.
  if (Math.abs(Date.UTC(atYear, said.month, said.day) - Date.UTC(atYear, atMonth, atDay)) <= DAY_MS)
    return 'fits'
  return said.month === atDay - 1 && said.day === atMonth + 1 ? 'exchanged' : 'other'
}
