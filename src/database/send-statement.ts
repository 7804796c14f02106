import { DatabaseError, type Pool, type PoolClient, type QueryResult } from 'pg'
import { toArrayText } from './array-text.ts'
import { DatabaseUnavailable } from './outage.ts'

export type Statement = { name?: string; text: string; values: readonly unknown[] }

/**
 * Sends one statement; rejects with what the server answered, or with `DatabaseUnavailable` when the connection is
 * gone.
 */
export type Send = (client: PoolClient, statement: Statement) => Promise<QueryResult>

/**
 * The function of Postgres that waits for a synchronous standby. An operator who cancels that wait makes Postgres call
 * the transaction committed, with a notice of this function's and without the standby having it.
 */
const REPLICATION_WAIT = 'SyncRepWaitForLSN'

/**
 * Sends statements on the connections of a pool. One without an answer within `answerWithinMs` ends its connection, for
 * a network can swallow everything without breaking one. A commit whose wait for the standby was given up fails, as one
 * whose outcome is unknown: a fail-over would take it back, and it must not be reported as done (law 1).
 */
export const createSend = (options: { pool: Pool; answerWithinMs: number | undefined }): Send => {
  const { pool, answerWithinMs } = options
  const lost = new WeakSet<object>()
  const unreplicated = new WeakSet<object>()
  pool.on('connect', (client) => {
    client.on('error', () => lost.add(client))
    client.on('notice', ({ routine }) => {
      if (routine === REPLICATION_WAIT) unreplicated.add(client)
    })
  })

  const end = (client: PoolClient): void => {
    lost.add(client)
    void client.end()
  }

  return async (client, statement) => {
    const timer = answerWithinMs === undefined ? undefined : setTimeout(() => end(client), answerWithinMs)
    try {
      const { name, text, values } = statement
      const result = await client.query({ name, text, values: values.map(toParameter) })
      if (unreplicated.delete(client)) throw new DatabaseUnavailable(new Error(UNREPLICATED))
      return result
    } catch (error) {
      if (!(error instanceof DatabaseError) && lost.has(client)) throw new DatabaseUnavailable(error)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}

const toParameter = (value: unknown): unknown => (Array.isArray(value) ? toArrayText(value) : value)

const UNREPLICATED = 'the wait for the synchronous standby was cancelled: it may not have the transaction'
