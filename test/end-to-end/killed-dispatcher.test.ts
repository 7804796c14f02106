import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { LEASE_SECONDS } from '../../src/dispatcher/deliver/attempts.ts'
import { createTestDatabase } from '../support/database.ts'
import { type DatabaseClock, startDatabaseClock } from '../support/database-clock.ts'
import { addDeliveries } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { answerWith, type Received } from '../support/receiver.ts'
import { dispatchSettings, type Settings } from '../support/settings.ts'

/** `DELIVERIES=20000` makes it the full figure, by the machine's clock. */
const DELIVERIES = Number(process.env['DELIVERIES'] ?? 150)
const IS_FULL = process.env['DELIVERIES'] !== undefined

/** Deliveries that become due together; and so many when a process is killed, that one process could have all under way. */
const BURST = Math.ceil(DELIVERIES / 10)
const UNDER_WAY = Math.min(BURST, 30)
const KILL_BURST = 5

/** By how much a dispatcher that dies may delay a delivery, as docs/operations.md says. */
const LONGEST_GAP_SECONDS = 60

const PATIENCE_MS = 120_000 + DELIVERIES * 5

let test: Harness
/** None in the full run, whose leases run out in their own time. */
let clock: DatabaseClock | null
let settings: Settings
let dispatchers: GatewayProcess[]
let drop: () => Promise<void>

beforeAll(async () => {
  const testDatabase = await createTestDatabase()
  drop = testDatabase.drop
  clock = IS_FULL ? null : await startDatabaseClock(testDatabase.url)
  test = await startHarness(testDatabase.url)
  settings = dispatchSettings({ databaseUrl: testDatabase.url, stream: test.stream })
  dispatchers = await Promise.all([1, 2, 3].map(() => startGatewayProcess('dispatch', settings)))
})
afterAll(async () => {
  await Promise.all(dispatchers.map((one) => one.end('SIGKILL')))
  await test.stop()
  await clock?.close()
  await drop()
})

const patiently = (check: () => Promise<void> | void) =>
  vi.waitFor(check, { timeout: PATIENCE_MS, interval: 20 })

const addBurst = (count: number): Promise<bigint[]> =>
  addDeliveries(
    test.database,
    Array.from({ length: count }, () => test.receiver.url),
    'own',
  )

/**
 * Kills a process while a burst is under way: the endpoint has all of it, and has answered none. Where the other processes
 * had all of the burst, another one takes the place of the killed one and is killed in the next burst.
 */
const killUnderWay = async (): Promise<bigint[]> => {
  const held: { socket: Socket | null; answer: () => void }[] = []
  test.receiver.behave((received, response) => {
    held.push({ socket: response.socket, answer: () => answerWith(200)(received, response) })
  })
  const ids = await addBurst(UNDER_WAY)
  await patiently(() => expect(held).toHaveLength(UNDER_WAY))
  await dispatchers.shift()?.end('SIGKILL')
  // The ends of its connections came before its own: they are read by then.
  await setImmediate()
  test.receiver.behave(answerWith(200))
  const answered = held.filter(({ socket }) => socket?.readableEnded === false && !socket.destroyed)
  for (const { answer } of answered) answer()
  await patiently(async () => expect(await countUnfinished(ids)).toBe(held.length - answered.length))
  if (answered.length < held.length) return ids
  dispatchers.push(await startGatewayProcess('dispatch', settings))
  return [...ids, ...(await killUnderWay())]
}

/** One burst after the other, each when half of the one before has come; in the middle a process is killed. */
const load = async (): Promise<bigint[]> => {
  const ids: bigint[] = []
  for (let burst = 0; ids.length < DELIVERIES; burst += 1) {
    const before = ids.length
    if (burst === KILL_BURST) await patiently(() => expect(test.receiver.received).toHaveLength(before))
    ids.push(...(burst === KILL_BURST ? await killUnderWay() : await addBurst(BURST)))
    const half = (before + ids.length) / 2
    await patiently(() => expect(test.receiver.received.length).toBeGreaterThanOrEqual(half))
  }
  return ids
}

/** Deliveries that are still to be made: all, and those that a process has taken. */
const countOpen = async (): Promise<{ open: number; leased: number } | undefined> => {
  const { rows } = await sql<{ open: number; leased: number }>`
    SELECT count(*)::int AS open, count(*) FILTER (WHERE leased_until > now())::int AS leased FROM to_deliver
  `.execute(test.database)
  return rows[0]
}

/** Of these deliveries, those whose attempt has begun and is not recorded as finished. */
const countUnfinished = async (ids: readonly bigint[]): Promise<number> => {
  const unfinished = await test.database
    .selectFrom('attempts')
    .select('delivery_id')
    .where('delivery_id', 'in', ids)
    .where('finished_at', 'is', null)
    .execute()
  return unfinished.length
}

const idOf = ({ headers }: Received): string | undefined => headers['webhook-id']

type Again = { lost: number; earliest: number | null; longestGap: number | null }

/** The attempts that nobody finished, and how long after their start the next one of their delivery began, seconds. */
const readAgain = async (): Promise<Again | undefined> => {
  const { rows } = await sql<Again>`
    SELECT count(*)::int AS lost, extract(epoch FROM min(next.started_at - lost.started_at))::float8 AS earliest,
           extract(epoch FROM max(next.started_at - lost.started_at))::float8 AS "longestGap"
    FROM attempts lost LEFT JOIN attempts next ON next.delivery_id = lost.delivery_id AND next.number = lost.number + 1
    WHERE lost.finished_at IS NULL
  `.execute(test.database)
  return rows[0]
}

describe('one of three dispatchers that is killed under load', () => {
  it(
    'loses nothing: what it had is sent again under its id when its lease has run out, and not before',
    async () => {
      const queue = test.openQueue()
      test.publish(queue)
      const ids = await load()
      let mayComeTwice = 0
      if (clock) {
        // The others do all that it had not taken, until nothing is sent any more; what it had is its own for as long as
        // its lease says.
        await patiently(async () => {
          expect(new Set(test.receiver.received.map(idOf)).size).toBe(ids.length)
          const left = await countOpen()
          expect(left?.open).toBe(left?.leased)
          expect(left?.open).toBe((await readAgain())?.lost)
          mayComeTwice = left?.open ?? 0
        })
        await clock.advance(LEASE_SECONDS)
      }
      await patiently(async () => expect((await countOpen())?.open).toBe(0))
      const came = Map.groupBy(test.receiver.received, idOf)
      const again = await readAgain()
      const duplicates = [...came.values()].filter((times) => times.length > 1)
      expect(came.size).toBe(ids.length)
      expect(again?.lost).toBeGreaterThan(0)
      expect(again?.earliest).toBeGreaterThanOrEqual(LEASE_SECONDS - 0.001)
      // Nothing came twice but what had been sent and was not recorded when the leases ended, and nobody could know.
      expect(duplicates.length).toBeLessThanOrEqual(IS_FULL ? (again?.lost ?? 0) : mayComeTwice)
      expect(duplicates.flat().map(({ headers }) => headers['webhook-attempt'])).toEqual(
        duplicates.flatMap(() => ['1', '2']),
      )
      if (IS_FULL) {
        expect(again?.longestGap).toBeLessThanOrEqual(LONGEST_GAP_SECONDS)
        process.stdout.write(
          `${ids.length} deliveries, one of three dispatchers killed: lost = ${ids.length - came.size}, duplicates = ` +
            `${duplicates.length}, attempts unknown = ${again?.lost}, longest gap = ${again?.longestGap?.toFixed(1)} s, at most ` +
            `${LONGEST_GAP_SECONDS} s\n`,
        )
      }
    },
    PATIENCE_MS * 2,
  )
})
