import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { CallingPartner } from '../../../src/core/partners/calling-partner.ts'
import { createThrottle } from '../../../src/core/partners/throttle.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { countStatements } from '../../support/counted-database.ts'

let test: TestCore
beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())

const partnerOf = (requestsPerSecond: number | null): CallingPartner => ({
  partnerId: test.partnerId,
  callbackHosts: null,
  requestsPerSecond,
  maxPaymentKes: null,
  maxDailyKes: null,
})

const open = (requestsPerSecond: number | null = null) => {
  const { database, count } = countStatements(test.database)
  const throttle = createThrottle({ database, requestsPerSecond, nowMs: () => performance.now() })
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

// A machine that stands still for a second leaves the bucket full for as long: then it is tried again.
it('replicas let pass what the rate allows, together, to within a tenth', { retry: 2 }, async () => {
  await forget()
  const perSecond = 100
  const replicas = [open(), open(), open()]
  const fromMs = performance.now()
  const passed = { count: 0 }
  const hammer = async ({ throttle }: ReturnType<typeof open>) => {
    while (performance.now() - fromMs < 3_000) {
      const results = await Promise.all([0, 1, 2, 3].map(() => throttle(partnerOf(perSecond))))
      passed.count += results.filter((result) => result === null).length
      await pause(1)
    }
  }
  await Promise.all(replicas.map(hammer))
  const seconds = (performance.now() - fromMs) / 1000
  // The bucket holds a second's worth when the first request comes.
  const allowed = perSecond * (seconds + 1)
  expect(passed.count).toBeGreaterThan(allowed * 0.9)
  expect(passed.count).toBeLessThan(allowed * 1.1)
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
