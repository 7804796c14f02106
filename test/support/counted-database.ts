import type { KyselyPlugin } from 'kysely'
import type { Database } from '../../src/database/connect.ts'

/** The same database, and how many statements were run through what is returned. */
export const countStatements = (database: Database): { database: Database; count: () => number } => {
  let count = 0
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      count += 1
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return { database: database.withPlugin(plugin), count: () => count }
}
