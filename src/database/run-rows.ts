import { DatabaseError } from 'pg'

/** SQLSTATE classes that blame the data: a value or a constraint, as opposed to the server or the connection. */
const DATA_ERRORS = /^(22|23)/

/**
 * Runs a multi-row statement over `items` and, when the data of one row makes the whole fail, runs it again for each item by
 * itself, so that one bad row cannot fail the others of its batch. `run` returns one result an item, in their order; an item
 * that fails alone has its error as its result. Rejects with every other error, which is nobody's fault in particular.
 */
export const runRows = async <Item, Result>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<Result[]>,
): Promise<(Result | Error)[]> => {
  try {
    return await run(items)
  } catch (error) {
    if (items.length === 1 || !isDataError(error)) throw error
    return Promise.all(items.map((item) => runAlone(item, run)))
  }
}

const runAlone = async <Item, Result>(
  item: Item,
  run: (items: readonly Item[]) => Promise<Result[]>,
): Promise<Result | Error> => {
  try {
    const [result] = await run([item])
    return result ?? new Error('a batch returned no result')
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

const isDataError = (error: unknown): boolean =>
  error instanceof DatabaseError && DATA_ERRORS.test(error.code ?? '')
