import type { Database } from '../../database/connect.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { type Acceptance, type AcceptItem, compare, type Entry, findKeyHolders, toEntry } from './accept.ts'

export type KnownKeys = {
  /** What a request is whose idempotency key is known; null: it has none, or a new one. Stores nothing. */
  find(item: AcceptItem): Promise<Acceptance | null>
}

/** Looks for the keys of requests that are not to be accepted, many in one statement. */
export const createKnownKeys = (database: Database): KnownKeys => {
  const batcher = createBatcher<Entry, Acceptance | null>({
    maxItems: 500,
    maxRunning: 1,
    maxWaiting: 10_000,
    run: async (entries) => {
      const holders = await findKeyHolders(database, entries)
      return entries.map((entry) => {
        const holder = holders.get(entry)
        return holder === undefined ? null : compare(entry, holder)
      })
    },
  })
  return {
    find: async (item) => (item.request.idempotencyKey === null ? null : batcher.add(toEntry(item))),
  }
}
