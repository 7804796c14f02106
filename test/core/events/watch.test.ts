import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCatchUp } from '../../../src/core/events/catch-up.ts'
import { type EventKey, isBeginning } from '../../../src/core/events/cursor.ts'
import { readNewestKey } from '../../../src/core/events/read-events.ts'
import { createEventTail, type EventTail } from '../../../src/core/events/tail.ts'
import { type Watched, watchEvents } from '../../../src/core/events/watch.ts'
import { WatchStopped } from '../../../src/core/events/watch-stopped.ts'
import type { Database } from '../../../src/database/connect.ts'
import type { Loop } from '../../../src/runtime/loop.ts'
import type { TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { connectTo, startOwnDatabase } from '../../support/own-database.ts'
import { acceptPayments } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** How many events the tail keeps here. */
const KEPT = 4

let own: TestDatabase
let database: Database
let tail: EventTail
let loop: Loop
let abort: AbortController

beforeAll(async () => {
  own = await startOwnDatabase({ settings: { autovacuum: 'off' } })
  database = connectTo(own)
})
beforeEach(() => {
  tail = createEventTail({ database, log: quietLog, keptEvents: KEPT })
  loop = tail.start()
  abort = new AbortController()
})
afterEach(() => loop.stop())
afterAll(async () => {
  await database.destroy()
  await own.drop()
})

const watch = (after: EventKey, check: () => Promise<void> = () => Promise.resolve(), checkMs = 60_000) =>
  watchEvents({
    tail,
    catchUp: createCatchUp(database),
    filter: null,
    after,
    heartbeatMs: 60_000,
    checkMs,
    check,
    signal: abort.signal,
    nowMs: () => performance.now(),
  })

/** Takes events until there are so many; resolves with the ids of their payments. */
const take = async (watched: AsyncGenerator<Watched, never>, count: number): Promise<bigint[]> => {
  const ids: bigint[] = []
  while (ids.length < count) {
    const { events } = (await watched.next()).value
    ids.push(...events.map(({ key }) => key.paymentId))
  }
  return ids
}

it('a watcher reads what it missed where it is slower than what is kept', async () => {
  const after = await readNewestKey(database)
  const [slow, quick] = [watch(after), watch(after)]
  await Promise.all([slow.next(), quick.next()])
  const ids: bigint[] = []
  // One by one, or they would be one batch, which is kept whole.
  for (let count = 0; count < 3 * KEPT; count += 1) {
    ids.push(...(await acceptPayments(database, 1)))
    expect(await take(quick, 1)).toEqual(ids.slice(-1))
  }
  expect(await take(slow, 3 * KEPT)).toEqual(ids)
  const more = await acceptPayments(database, 2)
  expect(await take(slow, 2)).toEqual(more)
})

it('many watchers see each event once and in order, and those who end leave nothing behind', async () => {
  const after = await readNewestKey(database)
  const watchers = Array.from({ length: 50 }, () => watch(after))
  await Promise.all(watchers.map((one) => one.next()))
  expect(tail.watchers()).toBe(50)
  const made = acceptPayments(database, 20)
  const seen = await Promise.all(watchers.map((one) => take(one, 20)))
  const ids = await made
  for (const one of seen) expect(one).toEqual(ids)
  // Half of them are waiting for news, half are not asked for any.
  const waiting = watchers.slice(0, 25).map((one) => one.next())
  abort.abort(new Error('the caller is gone'))
  for (const one of waiting) await expect(one).rejects.toThrow('the caller is gone')
  await Promise.all(watchers.slice(25).map((one) => one.return(undefined as never)))
  expect(tail.watchers()).toBe(0)
})

it('nothing is read while nobody watches', async () => {
  const watched = watch(await readNewestKey(database))
  await watched.next()
  const [id] = await acceptPayments(database, 1)
  expect(await take(watched, 1)).toEqual([id])
  await watched.return(undefined as never)
  const key = await readNewestKey(database)
  await acceptPayments(database, 1)
  loop.wake()
  // What was kept is gone: with a round that read, there would be something behind.
  await eventually(() => expect(tail.batchAfter({ position: 0n, paymentId: 0n, number: 0 })).toBeNull())
  expect(tail.batchAfter(key)).toBeNull()
})

it('a watcher that may not any more, or whose process stops, is told so while it waits', async () => {
  const refused = watch(await readNewestKey(database), () => Promise.reject(new Error('revoked')), 1)
  await refused.next()
  await expect(refused.next()).rejects.toThrow('revoked')
  const watched = watch(await readNewestKey(database))
  await watched.next()
  const next = watched.next()
  tail.close()
  await expect(next).rejects.toThrow(WatchStopped)
  await expect(watch(await readNewestKey(database)).next()).rejects.toThrow(WatchStopped)
  expect(tail.watchers()).toBe(0)
})

describe('after a fail-over that lost the last commits', () => {
  /** Has events stand so much further on: those of a primary that had got further than its standby. */
  const setEventBase = (base: bigint) =>
    sql`CREATE OR REPLACE FUNCTION event_base() RETURNS bigint LANGUAGE sql STABLE RETURN ${sql.lit(String(base))}::bigint`.execute(
      database,
    )

  /** Accepts a payment that the standby does not have; what is returned leads to the standby. */
  const acceptAndLose = async () => {
    await setEventBase(1_000_000n)
    const [id] = await acceptPayments(database, 1)
    const failOver = async (): Promise<void> => {
      await sql`DELETE FROM payments WHERE id = ${id}`.execute(database)
      await setEventBase(0n)
    }
    return { id, failOver }
  }

  it('a watcher that has heard of what is lost is sent to its cursor, and hears on from one that is there', async () => {
    const start = await readNewestKey(database)
    const watched = watch(start)
    await watched.next()
    const { id: lost, failOver } = await acceptAndLose()
    expect(await take(watched, 1)).toEqual([lost])
    await failOver()
    const ids = await acceptPayments(database, 2)
    await expect(take(watched, 1)).rejects.toThrow(WatchStopped)
    const again = watch(start)
    expect(await take(again, 2)).toEqual(ids)
    const more = await acceptPayments(database, 1)
    expect(await take(again, 1)).toEqual(more)
  })

  it('one that reads what it missed does not read past it either', async () => {
    const { failOver } = await acceptAndLose()
    const key = await readNewestKey(database)
    const catchUp = createCatchUp(database)
    await failOver()
    await acceptPayments(database, 1)
    await expect(catchUp({ after: key, filter: null })).rejects.toThrow(WatchStopped)
    await expect(catchUp({ after: key, filter: { paymentId: key.paymentId } })).rejects.toThrow(WatchStopped)
  })
})

it('whoever begins where there is no event yet misses none', async () => {
  const empty = await startOwnDatabase({ settings: { autovacuum: 'off' } })
  const own = connectTo(empty)
  try {
    const first = await readNewestKey(own)
    expect(isBeginning(first)).toBe(true)
    const ids = await acceptPayments(own, 3)
    const page = await createCatchUp(own)({ after: first, filter: null })
    expect(page.events.map(({ key }) => key.paymentId)).toEqual(ids)
  } finally {
    await own.destroy()
    await empty.drop()
  }
})
