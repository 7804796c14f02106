import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { schedule } from '../../src/runtime/setting-parsers.ts'
import { SETTINGS } from '../../src/runtime/settings.ts'
import { createTestDatabase } from '../support/database.ts'
import { type DatabaseClock, startDatabaseClock } from '../support/database-clock.ts'
import { addDeliveries } from '../support/deliveries.ts'
import { type Harness, startHarness } from '../support/dispatcher.ts'
import { answerWith, type Received } from '../support/receiver.ts'
import { type SimulatedTime, startSimulatedTime } from './simulated-time.ts'

/** `DELIVERIES=10000 OUTAGE_HOURS=24` makes it the full figure. */
const DELIVERIES = Number(process.env['DELIVERIES'] ?? 60)
const OUTAGE_HOURS = Number(process.env['OUTAGE_HOURS'] ?? 1)
const OUTAGE_SECONDS = OUTAGE_HOURS * 3600

const PATIENCE_MS = 120_000 + DELIVERIES * 60 + OUTAGE_HOURS * 60_000

const SCHEDULE_MS = schedule.parse(SETTINGS.DELIVERY_SCHEDULE.default)

/** When each attempt is due after the outcome, seconds. */
const DUE_SECONDS = SCHEDULE_MS.map(
  (_stepMs, index) => SCHEDULE_MS.slice(0, index + 1).reduce((sum, stepMs) => sum + stepMs, 0) / 1000,
)

let test: Harness
let clock: DatabaseClock
let time: SimulatedTime
let drop: () => Promise<void>
/** What came while the endpoint was there. */
let arrived: Received[]

beforeAll(async () => {
  const testDatabase = await createTestDatabase()
  clock = await startDatabaseClock(testDatabase.url)
  await clock.stop()
  test = await startHarness(testDatabase.url)
  time = startSimulatedTime(test.database, clock)
  drop = testDatabase.drop
  test.dispatch({ scheduleMs: SCHEDULE_MS, concurrency: 64, endpointConcurrency: 32 })
})
afterAll(async () => {
  await test.stop()
  await clock.close()
  await drop()
})
beforeEach(async () => {
  await sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(test.database)
  arrived = []
  die()
})

/** The endpoint answers nobody from now on. */
const die = (): void => test.receiver.behave((_received, response) => response.destroy())

const comeBack = (): void =>
  test.receiver.behave((received, response) => {
    arrived.push(received)
    answerWith(200)(received, response)
  })

const add = (partner: bigint | 'own'): Promise<bigint[]> =>
  addDeliveries(
    test.database,
    Array.from({ length: DELIVERIES }, () => test.receiver.url),
    partner,
  )

type Made = { number: number; seconds: number; sinceLastSeconds: number | null; failed: boolean }

/** Every attempt that was made: when after its delivery's outcome, and after the end of the attempt before. */
const readMade = async (): Promise<Made[]> => {
  const { rows } = await sql<Made>`
    SELECT number, extract(epoch FROM started_at - created_at)::float8 AS seconds, error_class IS NOT NULL AS failed,
           extract(epoch FROM started_at - lag(finished_at) OVER (PARTITION BY delivery_id ORDER BY number))::float8
             AS "sinceLastSeconds"
    FROM attempts JOIN deliveries ON deliveries.id = delivery_id
  `.execute(test.database)
  return rows
}

const untilAllArrived = async (): Promise<boolean> => arrived.length >= DELIVERIES

const expectAllArrivedOnce = (): void => {
  expect(arrived).toHaveLength(DELIVERIES)
  expect(new Set(arrived.map(({ headers }) => headers['webhook-id'])).size).toBe(DELIVERIES)
}

/** Attempts that began before the schedule's pause after the one before had passed; the database keeps ms. */
const early = (made: readonly Made[]): Made[] =>
  made.filter(
    ({ number, sinceLastSeconds }) =>
      sinceLastSeconds !== null && sinceLastSeconds < (SCHEDULE_MS[number - 1] ?? 0) / 1000 - 0.001,
  )

const print = (text: string): void => {
  if (process.env['DELIVERIES'] !== undefined) process.stdout.write(`${text}\n`)
}

describe(`${DELIVERIES} deliveries that meet a dead endpoint for ${OUTAGE_HOURS} h`, () => {
  it(
    'one for each partner: each is attempted when the schedule says, to the second, and arrives with its next attempt',
    async () => {
      await add('own')
      await time.pass(OUTAGE_SECONDS)
      const made = await readMade()
      const expected = DUE_SECONDS.filter((seconds) => seconds <= OUTAGE_SECONDS)
      expect(made).toHaveLength(DELIVERIES * expected.length)
      const off = made.map(({ number, seconds }) => seconds - (DUE_SECONDS[number - 1] ?? 0))
      expect(Math.min(...off)).toBeGreaterThanOrEqual(-0.001)
      expect(Math.max(...off)).toBeLessThan(1)
      comeBack()
      await time.pass(DUE_SECONDS.at(-1) ?? 0, untilAllArrived)
      expectAllArrivedOnce()
      print(
        `${made.length} attempts at ${DELIVERIES} endpoints in ${OUTAGE_HOURS} h: at most ` +
          `${Math.max(...off.map(Math.abs)).toFixed(3)} s off their time; ${arrived.length} arrived`,
      )
    },
    PATIENCE_MS,
  )

  it(
    'all of one partner: it is asked by one at a time, none is early or lost, and they come back at a ramp',
    async () => {
      await add(7n)
      await time.pass(OUTAGE_SECONDS)
      const during = await readMade()
      expect(early(during)).toEqual([])
      expect(during.length).toBeLessThan(DELIVERIES + OUTAGE_HOURS * 60)
      comeBack()
      await time.pass(3600, untilAllArrived)
      expectAllArrivedOnce()
      const made = await readMade()
      expect(early(made)).toEqual([])
      const back = made
        .filter(({ failed }) => !failed)
        .map(({ seconds }) => seconds)
        .sort((one, other) => one - other)
      const rates = perSecond(back)
      // One that asks whether it is back; then 1, 2, 4, … a second.
      for (const [second, count] of rates.entries())
        expect(count, `in second ${second}`).toBeLessThanOrEqual(Math.min(1_000, 2 ** second) * 1.25 + 1)
      print(
        `${during.length} attempts at one endpoint in ${OUTAGE_HOURS} h, ${early(made).length} early; ${arrived.length} arrived, ` +
          `${rates.join(', ')} in each second`,
      )
    },
    PATIENCE_MS,
  )
})

/** How many instants fall into each second since the first. */
const perSecond = (seconds: readonly number[]): number[] => {
  const first = seconds[0] ?? 0
  const counts: number[] = []
  for (const one of seconds) {
    const second = Math.floor(one - first + 0.001)
    counts[second] = (counts[second] ?? 0) + 1
  }
  return Array.from(counts, (count) => count ?? 0)
}
