/** A row of a statement as it stands in the file: its number, counted from 1, and its cells from the left. */
export type StatementRow = { line: number; cells: readonly string[] }

/** Characters of a cell at most: none of a statement is nearly as long. */
export const LONGEST_CELL = 4_096

/** Cells of a row at most: a statement has thirteen. */
export const MOST_CELLS = 256
