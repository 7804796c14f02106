import { sql } from 'kysely'
import type { Database } from '../../../src/database/connect.ts'
import { type Claim, recordAttempts } from '../../../src/dispatcher/deliver/attempts.ts'
import type { PostResult } from '../../../src/dispatcher/deliver/post.ts'
import type { Verdict } from '../../../src/dispatcher/endpoints/breaker.ts'
import { recordingOf } from '../../../src/dispatcher/endpoints/record-outcomes.ts'
import { releaseDue } from '../../../src/dispatcher/endpoints/release.ts'
import { createTestDatabase, openTestDatabase } from '../../support/database.ts'
import { type DatabaseClock, startDatabaseClock } from '../../support/database-clock.ts'
import { addDeliveries } from '../../support/deliveries.ts'

export const SHOP = { partner_id: 7n, host: 'shop.co.ke' }
export const LONGEST_MS = 100_000

const failed: PostResult = {
  status: 500,
  errorClass: 'status',
  retryAfterMs: null,
  durationMs: 1,
  address: null,
  answer: null,
}

/** Opens a database whose clock stands still until it is put forward, and does what dispatchers do with endpoints. */
export const openEndpointStage = async () => {
  const on = await createTestDatabase()
  const clock = await startDatabaseClock(on.url)
  await clock.stop()
  const { database, close } = await openTestDatabase({ poolSize: 8, on })
  return {
    ...createSteps(database, clock),
    database,
    clock,
    /** Leaves nothing of the tests before. */
    clear: () => sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(database),
    close: async (): Promise<void> => {
      await clock.close()
      await close()
    },
  }
}

export type EndpointStage = Awaited<ReturnType<typeof openEndpointStage>>

const createSteps = (database: Database, clock: DatabaseClock) => {
  const add = (count: number): Promise<bigint[]> =>
    addDeliveries(
      database,
      Array.from({ length: count }, () => 'https://shop.co.ke/callback'),
    )

  /** What attempts of these deliveries, in this order, said of their endpoint, to be recorded. */
  const recording = (ids: readonly bigint[], verdict: Verdict) =>
    recordingOf({
      database,
      outcomes: ids.map((delivery_id) => ({ ...SHOP, delivery_id, payment_id: 1n, verdict })),
      longestMs: LONGEST_MS,
      random: () => 0,
    })

  /** The same, recorded. */
  const note = (ids: readonly bigint[], verdict: Verdict) => recording(ids, verdict)()

  const readEndpoint = () =>
    database.selectFrom('endpoints').selectAll().where('host', '=', SHOP.host).executeTakeFirst()

  const countHeld = async (): Promise<number> =>
    (await database.selectFrom('to_deliver').select('delivery_id').where('held_at', 'is not', null).execute())
      .length

  /** Opens the endpoint, which then has nothing held. */
  const open = async (): Promise<void> => {
    await note([1n, 2n, 3n, 4n, 5n], 'fails')
  }

  const pause = () =>
    sql`
    INSERT INTO endpoints (partner_id, host, paused_at, paused_by) VALUES (7, 'shop.co.ke', now(), 'wanjiku')
    ON CONFLICT (partner_id, host) DO UPDATE SET paused_at = now(), paused_by = 'wanjiku'
  `.execute(database)
  const resume = () => sql`UPDATE endpoints SET paused_at = NULL, paused_by = NULL`.execute(database)

  /** Records that the attempts failed, to be repeated at once, and notes it. */
  const fail = async (claims: readonly Claim[]): Promise<void> => {
    await recordAttempts(
      database,
      claims.map((claim) => ({ claim, result: failed, plan: { kind: 'retry', delayMs: 0 } })),
    )
    await note(
      claims.map((claim) => claim.id),
      'fails',
    )
  }

  /** Time passes in steps as short as a dispatcher's; returns how many deliveries were let go in each second. */
  const releasedIn = async (seconds: number): Promise<number[]> => {
    const released: number[] = []
    for (let second = 0; second < seconds; second += 1) {
      let count = 0
      for (let step = 0; step < 20; step += 1) {
        count += (await releaseDue(database)).freed.length
        await clock.advance(0.05)
      }
      released.push(count)
    }
    return released
  }

  return { add, recording, note, readEndpoint, countHeld, open, pause, resume, fail, releasedIn }
}
