import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { holdAccount } from '../../src/core/daraja/back-off.ts'
import { createStatus } from '../../src/core/status/read-status.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually } from '../support/eventually.ts'
import { ask, openFacade, type TestFacade } from './harness.ts'

let test: TestFacade
let now = 0
beforeAll(async () => {
  test = await openFacade({ nowMs: () => now + performance.now() })
})
afterAll(() => test.stop())
beforeEach(async () => {
  // What was answered before is too old by now.
  now += 2_000
  for (const table of ['daraja_accounts', 'to_submit', 'to_deliver'] as const)
    await test.database.deleteFrom(table).execute()
})

const read = async () => {
  const answer = await ask(test, 'GET /api/v1/status')
  expect(answer.status).toBe(200)
  return {
    answer,
    body: JSON.parse(answer.body) as Record<string, { ok: boolean | null; since: string | null }>,
  }
}

const OK = { ok: true, since: null }
const secondsAgo = (seconds: number) => sql<Date>`now() - make_interval(secs => ${seconds})`
const isAbout = (since: string | null | undefined, secondsAgo: number): boolean =>
  Math.abs(Date.now() - secondsAgo * 1000 - Date.parse(since ?? '')) < 20_000

it('says that all is well, without a key, and may be kept for a second', async () => {
  const { answer, body } = await read()
  expect(body).toEqual({
    status: 'success',
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    payments: OK,
    prompts: OK,
    daraja: OK,
    outcomes: OK,
  })
  expect(answer.headers['cache-control']).toBe('public, max-age=1')
})

it('says since when Daraja holds the gateway’s own account off, however often it was held in a row', async () => {
  await holdAccount(test.database, { shortcode: '174379', afterMs: 1_000, code: '500.003.02' })
  await test.database
    .updateTable('daraja_accounts')
    .set({ held_until: secondsAgo(5), held_since: secondsAgo(45) })
    .execute()
  await holdAccount(test.database, { shortcode: '174379', afterMs: 20_000, code: '500.003.02' })
  await holdAccount(test.database, { shortcode: '600000', afterMs: 20_000, code: '500.003.02' })
  const { body } = await read()
  expect(body['daraja']).toEqual({ ok: false, since: expect.any(String) })
  expect(isAbout(body['daraja']?.since, 45)).toBe(true)
  expect(body['prompts']).toEqual(body['daraja'])
  expect(body['payments']).toEqual(OK)
  await test.database.deleteFrom('daraja_accounts').where('shortcode', '=', '174379').execute()
  now += 2_000
  expect((await read()).body['daraja']).toEqual(OK)
})

it('says since when payers wait for their prompt and partners for outcomes; test payments and partners’ own accounts do not count', async () => {
  const duty = { submit_by: secondsAgo(-60), leased_until: secondsAgo(-0) }
  const submit = (payment_id: bigint, account_id: bigint, seconds: number) =>
    sql`
      INSERT INTO to_submit (payment_id, account_id, due_at, submit_by)
      VALUES (${payment_id}, ${account_id}, ${secondsAgo(seconds)}, ${duty.submit_by})
    `.execute(test.database)
  const deliver = (delivery_id: bigint, partner_id: bigint, seconds: number) =>
    sql`
      INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, held_at)
      VALUES (${delivery_id}, ${partner_id}, 'shop.co.ke', ${secondsAgo(seconds)}, NULL)
    `.execute(test.database)
  // Of accounts that nobody here can open: the loops leave them alone.
  await submit(9_000_001n, 77n, 500)
  await submit(9_000_002n, -77n, 500)
  await deliver(9_000_001n, -7n, 500)
  const { body } = await read()
  expect(body['prompts']).toEqual(OK)
  expect(body['outcomes']).toEqual(OK)
  await deliver(9_000_002n, 7n, 120)
  await deliver(9_000_003n, 7n, 20)
  now += 2_000
  const late = (await read()).body
  expect(late['outcomes']?.ok).toBe(false)
  expect(isAbout(late['outcomes']?.since, 120)).toBe(true)
})

it('asks Postgres once a second, however many ask', async () => {
  let statements = 0
  const counted = new Proxy(test.database, {
    get: (database, name) => {
      if (name === 'getExecutor') statements += 1
      const value: unknown = Reflect.get(database, name)
      return typeof value === 'function' ? value.bind(database) : value
    },
  })
  let nowMs = 0
  const readStatus = createStatus({
    database: counted,
    shortcode: '174379',
    isStarted: () => true,
    clock: systemClock,
    nowMs: () => nowMs,
  })
  const first = await Promise.all(Array.from({ length: 50 }, () => readStatus()))
  const once = statements
  expect(once).toBeGreaterThan(0)
  expect(new Set(first).size).toBe(1)
  nowMs = 999
  await readStatus()
  expect(statements).toBe(once)
  nowMs = 1_000
  await readStatus()
  expect(statements).toBe(2 * once)
})

it('says since when payments cannot be taken, and that the rest is not known, before the gateway has started', async () => {
  let nowMs = 0
  let isStarted = false
  const readStatus = createStatus({
    database: test.database,
    shortcode: '174379',
    isStarted: () => isStarted,
    clock: () => new Date(Date.UTC(2026, 0, 1) + nowMs),
    nowMs: () => nowMs,
  })
  const unknown = { isOk: null, since: null }
  const since = new Date(Date.UTC(2026, 0, 1))
  expect(await readStatus()).toMatchObject({
    payments: { isOk: false, since },
    prompts: unknown,
    daraja: unknown,
  })
  nowMs = 30_000
  expect(await readStatus()).toMatchObject({ payments: { isOk: false, since }, outcomes: unknown })
  isStarted = true
  nowMs = 60_000
  await eventually(async () => expect((await readStatus()).payments).toEqual({ isOk: true, since: null }))
})

it('has no parameters', async () => {
  const answer = await ask(test, 'GET /api/v1/status?verbose=1')
  expect(answer.status).toBe(400)
  expect(answer.body).toContain('verbose is no parameter of this request')
})
