import { afterAll, beforeAll, expect, it } from 'vitest'
import { turnsWith } from '../../bench/accept.ts'
import { type BenchServer, startBenchServer } from '../../bench/support/server-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

let database: TestDatabase
let collector: BenchServer
beforeAll(async () => {
  database = await createTestDatabase()
  collector = await startBenchServer('collector', {})
})
afterAll(async () => {
  await collector?.stop()
  await database?.drop()
})

const requests = async (): Promise<number> => JSON.parse(await collector.ask('how many')).requests

/** Has a payment accepted by the server of a turn, as the load does, then ends it as the benchmark does not: with its spans sent. */
const acceptIn = async (environment: Record<string, string>): Promise<number> => {
  const server = await startBenchServer('accept', {
    DATABASE_URL: database.url,
    OTEL_BSP_SCHEDULE_DELAY: '20',
    ...environment,
  })
  try {
    const answer = await fetch(`${server.ready['url']}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': server.ready['api_key'] ?? '' },
      body: JSON.stringify({
        phone: '254712345678',
        amount: 150,
        callback_url: 'https://shop.co.ke/payment_callback',
      }),
    })
    if (environment['OTEL_EXPORTER_OTLP_ENDPOINT'] !== undefined)
      await eventually(async () => expect(await requests()).toBeGreaterThan(0))
    return answer.status
  } finally {
    await server.stop()
  }
}

it('accepted payments are measured in turns with and without traces, whose spans a collector takes', async () => {
  const turns = turnsWith(collector.ready['url'] ?? '')
  expect(turns.map(({ name }) => name)).toEqual(['echo', 'accept', 'accept, traced', 'one-insert'])
  const [, untraced, traced] = turns
  expect(await acceptIn(untraced?.environment ?? {})).toBe(200)
  expect(await requests()).toBe(0)
  expect(await acceptIn(traced?.environment ?? {})).toBe(200)
})
