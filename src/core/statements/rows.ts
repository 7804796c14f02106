/**
 * A row of a statement as it stands in the file: its number, counted from 1, its cells from the left, and since when days
 * are counted that are numbers.
 */
export type StatementRow = { line: number; cells: readonly string[]; daysSince: DaysSince }

/** The two counts of Excel's. */
export type DaysSince = 1900 | 1904

/** Characters of a cell at most: none of a statement is nearly as long. */
export const LONGEST_CELL = 4_096

/** Cells of a row at most: a statement has thirteen. */
export const MOST_CELLS = 256
