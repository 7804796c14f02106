import { sql } from 'kysely'
import { type AddressList, includesAddress } from '../values/address-list.ts'
import type { Database } from './connect.ts'
import { givenRows } from './given-rows.ts'
import type { RowOf } from './schema/schema.ts'

/** Rows that one statement deletes: few enough that nobody waits for it. */
const BATCH = 1_000

/**
 * Deletes unknown senders' callbacks that were kept for `keepDays` days, by the database's clock; resolves with how
 * many. A row that another process has in hand is left to it.
 */
export const forgetStrangers = async (options: { database: Database; keepDays: number }): Promise<number> => {
  let forgotten = 0
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      DELETE FROM stranger_callbacks WHERE id = ANY (ARRAY(
        SELECT id FROM stranger_callbacks WHERE kept_at < now() - make_interval(days => ${options.keepDays})
        ORDER BY kept_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
      ))
    `.execute(options.database)
    forgotten += Number(numAffectedRows)
    if (Number(numAffectedRows) < BATCH) return forgotten
  }
}

/**
 * The same for those that processes of the release before stored among Daraja's own: of no payment, and from no address
 * of `list`. Resolves with how many.
 */
export const forgetStrangersAmongCallbacks = async (options: {
  database: Database
  keepDays: number
  list: AddressList
}): Promise<number> => {
  const { database, keepDays, list } = options
  const listed = new Set<string>()
  let forgotten = 0
  for (;;) {
    const found = await findUnclaimed({ database, keepDays, listed: [...listed] })
    const [ours, strangers] = partition(found, (row) => includesAddress(list, row.source_address))
    for (const { source_address } of ours) listed.add(source_address)
    const deleted = strangers.length === 0 ? 0 : await deleteCallbacks(database, strangers)
    forgotten += deleted
    // A round that got nowhere would be the same for ever.
    if (found.length < BATCH || (deleted === 0 && ours.length === 0)) return forgotten
  }
}

type Unclaimed = RowOf<'callbacks', 'id' | 'received_at' | 'source_address'>

/** Old callbacks of no payment, but for those from addresses that are known to be on the list: these stay. */
const findUnclaimed = (options: {
  database: Database
  keepDays: number
  listed: readonly string[]
}): Promise<Unclaimed[]> =>
  options.database
    .selectFrom('callbacks')
    .select(['id', 'received_at', 'source_address'])
    .where('payment_id', 'is', null)
    .where('received_at', '<', sql<Date>`now() - make_interval(days => ${options.keepDays})`)
    .where(sql<boolean>`source_address <> ALL (${options.listed}::text[])`)
    .limit(BATCH)
    .execute()

const partition = <Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] => [
  items.filter(test),
  items.filter((item) => !test(item)),
]

const deleteCallbacks = async (database: Database, rows: readonly Unclaimed[]): Promise<number> => {
  const given = givenRows(rows, {
    id: ['callbacks.id', (row) => row.id],
    received_at: ['callbacks.received_at', (row) => row.received_at],
  })
  const { numDeletedRows } = await database
    .deleteFrom('callbacks')
    .using(given)
    .whereRef('callbacks.id', '=', 'given.id')
    .whereRef('callbacks.received_at', '=', 'given.received_at')
    .where('callbacks.payment_id', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
