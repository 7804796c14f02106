import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { CallingPartner } from '../../../src/core/partners/calling-partner.ts'
import { createThrottle } from '../../../src/core/partners/request-rate.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { countStatements } from '../../support/counted-database.ts'

let test: TestCore
beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())

const partnerOf = (requestsPerSecond: number | null): CallingPartner => ({
  partnerId: test.partnerId,
  accountId: 0n,
  callbackHosts: null,
  requestsPerSecond,
  maxPaymentKes: null,
  maxDailyKes: null,
})

const open = (requestsPerSecond: number | null = null) => {
  const { database, count } = countStatements(test.database)
  const throttle = createThrottle({
    testRequestsPerSecond: 10,
    database,
    requestsPerSecond,
    nowMs: () => performance.now(),
  })
  return { throttle, count }
}

const forget = () => test.database.deleteFrom('partner_buckets').execute()

it('a partner without a rate is not counted', async () => {
  const { throttle, count } = open()
  expect(await throttle(partnerOf(null))).toBeNull()
  expect(count()).toBe(0)
})

it('its own rate goes before that of the settings', async () => {
  await forget()
  const { throttle } = open(1_000)
  expect(await throttle(partnerOf(1))).toBeNull()
  expect(await throttle(partnerOf(1))).toEqual({ perSecond: 1, waitSeconds: 1 })
})

it('a partner is let in after the clock of Postgres was set back', async () => {
  await forget()
  expect(await open().throttle(partnerOf(1))).toBeNull()
  await test.database
    .updateTable('partner_buckets')
    .set({ next_at: sql<Date>`now() + interval '10 minutes'` })
    .execute()
  const { throttle } = open()
  expect(await throttle(partnerOf(1))).toBeNull()
  expect(await throttle(partnerOf(1))).toEqual({ perSecond: 1, waitSeconds: 1 })
})

/** The time of Postgres, by which the bucket fills, ms. */
const databaseMs = async (): Promise<number> => {
  const { rows } = await sql<{ now_ms: number }>`
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
  `.execute(test.database)
  return rows[0]?.now_ms ?? Number.NaN
}

it('replicas let pass no more than the rate allows, together, and do let that pass', async () => {
  await forget()
  const [perSecond, wanted] = [100, 300]
  const replicas = [open(), open(), open()]
  const fromMs = await databaseMs()
  const passed = { count: 0 }
  const hammer = async ({ throttle }: ReturnType<typeof open>) => {
    while (passed.count < wanted) {
      const results = await Promise.all([0, 1, 2, 3].map(() => throttle(partnerOf(perSecond))))
      passed.count += results.filter((result) => result === null).length
      await pause(1)
    }
  }
  await Promise.all(replicas.map(hammer))
  const seconds = ((await databaseMs()) - fromMs) / 1000
  // The bucket holds a second's worth when the first request comes.
  expect(passed.count).toBeLessThanOrEqual(perSecond * (seconds + 1))
})

it('requests cost one statement for each slice, and those that are refused none', async () => {
  await forget()
  const { throttle, count } = open()
  const results: (object | null)[] = []
  for (let index = 0; index < 1_000; index += 1) results.push(await throttle(partnerOf(200)))
  const passed = results.filter((result) => result === null).length
  expect(passed).toBeLessThan(1_000)
  expect(count()).toBeLessThan(passed / 5)
})
