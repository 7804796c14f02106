import { DatabaseError } from 'pg'

/** SQLSTATE classes that blame the data: a value or a constraint, as opposed to the server or the connection. */
const DATA_ERRORS = /^(22|23)/

/**
 * Runs a multi-row statement over `items` and, when the data of one row makes the whole fail, runs it again for each
 * item by itself, so that one bad row cannot fail the others of its batch. `run` returns one result an item, in their
 * order; an item whose own data is at fault has the error as its result. Rejects with every other error, which is
 * nobody's fault in particular, also when it comes between: some items may have been written then, and which is
 * unknown.
 */
export const runRows = async <Item, Result>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<Result[]>,
): Promise<(Result | Error)[]> => {
  try {
    return await run(items)
  } catch (error) {
    if (!isDataError(error)) throw error
    if (items.length === 1) return [error]
    const alone = await Promise.all(items.map((item) => runRows([item], run)))
    return alone.map(([result]) => result ?? new Error('a batch returned no result'))
  }
}

const isDataError = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && DATA_ERRORS.test(error.code ?? '')
