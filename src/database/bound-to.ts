import {
  type CompiledQuery,
  DefaultQueryExecutor,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import type { Database } from './connect.ts'
import type { Schema } from './schema/schema.ts'

/**
 * The database for the reads of one call: once `signal` aborts, for the caller is gone or its deadline has passed, the
 * statement under way is cancelled in Postgres, and it and all that follow reject with the signal's reason. For reads
 * alone: of a write nobody would know whether it was done. A transaction of it is not bound.
 */
export const boundTo = (database: Database, signal: AbortSignal): Database =>
  new Kysely<Schema>({
    config: { dialect },
    dialect,
    driver: new DummyDriver(),
    executor: new BoundExecutor(database, signal),
  })

/** Kysely asks it for nothing here: the connections are those of the database that is bound. */
const dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (database: Kysely<unknown>) => new PostgresIntrospector(database),
  createQueryCompiler: () => new PostgresQueryCompiler(),
}

/**
 * Kysely's own options for it leave the statement to fail unseen, print that on standard error, and give the connection
 * back before the cancellation has come to an end.
 */
class BoundExecutor extends DefaultQueryExecutor {
  readonly #signal: AbortSignal

  constructor(database: Database, signal: AbortSignal) {
    const executor = database.getExecutor()
    super(executor, executor.adapter, executor)
    this.#signal = signal
  }

  override async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const signal = this.#signal
    return this.provideConnection(async (connection) => {
      await connection.collectSessionInfo?.()
      signal.throwIfAborted()
      const another: typeof this.provideConnection = (consumer) => this.provideConnection(consumer)
      let cancelling: Promise<unknown> | undefined
      const cancel = (): void => {
        cancelling = connection.cancelQuery?.(another).catch(() => undefined)
      }
      signal.addEventListener('abort', cancel, { once: true })
      try {
        return await connection.executeQuery<Row>(query)
      } catch (error) {
        throw signal.aborted ? signal.reason : error
      } finally {
        signal.removeEventListener('abort', cancel)
        // Else it could meet whoever has the connection next.
        await cancelling
      }
    })
  }
}
