/**
 * A file that is no statement, or a broken one. The message is a sentence for a person: where (the line, counted from 1,
 * and the column by its name), what is wrong, and what would be right. It never repeats what stands there, which may be
 * a payer's number.
 */
export class StatementError extends Error {
  override name = 'StatementError'
  readonly line: number | null
  readonly column: string | null
  /** The field of the request that it is about: the file, unless it is what was said of it. */
  readonly field: 'upload_id' | 'shortcode'

  constructor(problem: string, where: { line?: number; column?: string; field?: 'shortcode' } = {}) {
    const { line, column } = where
    const places = [line === undefined ? [] : `line ${line}`, column === undefined ? [] : column].flat()
    super(places.length === 0 ? problem : `${places.join(', ')}: ${problem}`)
    this.line = line ?? null
    this.column = column ?? null
    this.field = where.field ?? 'upload_id'
  }
}
