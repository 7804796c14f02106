import type { Database } from '../connect.ts'
import {
  type Alarm,
  alarmOf,
  type Found,
  isOver,
  judge,
  lowestOf,
  type Mark,
  mergeAlarms,
  type Numbers,
  type Verdict,
} from './mark.ts'
import { readMarks } from './mark-files.ts'
import { knownOf } from './mark-keeper.ts'
import { raiseNumbers } from './number-guard.ts'
import { readFound } from './read-found.ts'

/** What the marks of a folder say of a database. */
export type Judgement = {
  /** Null: there are none. */
  mark: Mark | null
  found: Found
  verdict: Verdict
  /** Why an operator is to look: noticed before and not over, or now. */
  alarm: Alarm | null
  /** Up to where its sequences may have given out numbers. */
  lowest: Numbers
}

/**
 * Looks at a database by the marks of a folder, and changes neither. Null when it has not the tables of this release.
 */
export const judgeByMarks = async (options: {
  database: Database
  folder: string
  at: Date
}): Promise<Judgement | null> => {
  const { mark } = await readMarks(options.folder)
  const found = await readFound(options.database, mark?.newestPayment ?? null)
  if (found === null) return null
  const verdict = judge(knownOf(mark), found)
  const lowest = lowestOf(mark?.ceilings ?? {}, found.numbers)
  const before = mark?.alarm && !isOver(mark.alarm, found) ? mark.alarm : null
  const now = alarmOf(verdict, found, { at: options.at, upTo: lowest['payments_id_seq'] ?? 0n })
  return { mark, found, verdict, alarm: mergeAlarms(before ?? now, now), lowest }
}

/**
 * Looks at each connection of a command, which has no mark of its own: where the database is not the one of the
 * folder's marks, it gives no number out that was given out before. One of another gateway is left as it is.
 */
export const keepAboveMarks =
  (options: { folder: string; now: () => Date }): ((connection: Database) => Promise<void>) =>
  async (connection) => {
    const judged = await judgeByMarks({ database: connection, folder: options.folder, at: options.now() })
    if (judged === null || (judged.verdict.kind !== 'older' && judged.verdict.kind !== 'moved')) return
    const { mark, found } = judged
    const below = Object.entries(mark?.ceilings ?? {}).filter(
      ([sequence, ceiling]) => (found.numbers[sequence] ?? ceiling) < ceiling,
    )
    if (below.length > 0) await raiseNumbers(connection, Object.fromEntries(below))
  }
