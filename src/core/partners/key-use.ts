import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { isOutage } from '../../database/outage.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import { type Loop, startLoop } from '../../runtime/loop.ts'

/** Writes down when keys were last used, once in a while and never on the way of a request. */
export type KeyUse = {
  /** Records that the key authenticated a request just now. */
  note: (keyId: bigint) => void
  /** Starts the writing. A key's row is written at most once a minute, however many replicas see it used. */
  start: () => Loop
}

/** How often what was noted is written, ms. */
const EVERY_MS = 20_000

export const createKeyUse = (options: { database: Database; clock: Clock; log: Log }): KeyUse => {
  const uses = new Map<bigint, Date>()

  const write = async (): Promise<void> => {
    const noted = [...uses]
    if (noted.length === 0) return
    await writeUses(options.database, noted)
    // What was noted meanwhile stays for the next time.
    for (const [keyId, at] of noted) if (uses.get(keyId) === at) uses.delete(keyId)
  }

  const start = (): Loop => {
    const loop = startLoop({
      name: 'key_use',
      idleMs: EVERY_MS,
      round: async () => {
        await write()
        return false
      },
      isOutage,
      log: options.log,
    })
    const stop = async (): Promise<void> => {
      await loop.stop()
      // The last use of a key is not worth waiting for a database that is away.
      await write().catch(() => undefined)
    }
    return { ...loop, stop }
  }
  return { note: (keyId) => void uses.set(keyId, options.clock()), start }
}

/** Rows that another replica is writing just now are left to it: what it writes is as good. */
const writeUses = async (database: Database, uses: readonly (readonly [bigint, Date])[]): Promise<void> => {
  const given = givenRows(uses, { id: ['api_keys.id', ([id]) => id], at: ['timestamptz', ([, at]) => at] })
  await database
    .with('stale', (cte) =>
      cte
        .selectFrom('api_keys')
        .innerJoin(given, 'given.id', 'api_keys.id')
        .select(['api_keys.id', 'given.at'])
        .where(sql<boolean>`last_used_at IS NULL OR last_used_at <= given.at - interval '1 minute'`)
        .orderBy('api_keys.id')
        .forNoKeyUpdate('api_keys')
        .skipLocked(),
    )
    .updateTable('api_keys')
    .from('stale')
    .set((eb) => ({ last_used_at: eb.ref('stale.at').$notNull() }))
    .whereRef('api_keys.id', '=', 'stale.id')
    .execute()
}
