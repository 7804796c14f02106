import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { setPartnerSettings } from '../../../src/core/partners/change-partner.ts'
import { forgetCounts } from '../../../src/core/partners/forget-counts.ts'
import { createAcceptor } from '../../../src/core/request/accept.ts'
import { createLimitedAcceptor } from '../../../src/core/request/accept-limited.ts'
import type { AcceptLimits } from '../../../src/core/request/payer-limits.ts'
import { parsePaymentRequest } from '../../../src/core/request/payment-request.ts'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { testActor } from '../../support/actor.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { forgetfulNumbers } from '../../support/forgetful-numbers.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { paymentRequest } from '../../support/requests.ts'

let own: TestDatabase
let replicas: Database[]
beforeAll(async () => {
  own = await createTestDatabase()
  replicas = [0, 1, 2].map(() => connectDatabase({ databaseUrl: own.url, poolSize: 3, log: quietLog }))
})
afterAll(async () => {
  await Promise.all(replicas.map((database) => database.destroy()))
  await own.drop()
})

let partnerId = 0n
beforeEach(() => {
  partnerId += 1n
})

/** Acceptors of three replicas, used in turn. */
const open = (given?: Partial<AcceptLimits>) => {
  const acceptors = replicas.map((database) => {
    const parts = { database, submitTtlMs: 120_000, numbers: forgetfulNumbers }
    return { unlimited: createAcceptor(parts), limited: createLimitedAcceptor(parts) }
  })
  const limits = given && { openPrompts: null, promptsPerHour: null, maxDailyKes: null, ...given }
  let turn = 0
  return async (overrides: Parameters<typeof paymentRequest>[0] = {}, of = partnerId) => {
    const policy = { allowHttp: true, allowPrivateNetworks: true }
    const parsed = parsePaymentRequest(paymentRequest(overrides), { policy })
    if (!('request' in parsed)) throw new Error(JSON.stringify(parsed))
    turn += 1
    const acceptor = acceptors[turn % 3]
    const item = { partnerId: of, request: parsed.request }
    const acceptance = await (limits
      ? acceptor?.limited.add({ ...item, limits })
      : acceptor?.unlimited.add(item))
    return acceptance?.kind === 'limited' ? acceptance.reason : acceptance?.kind
  }
}

const database = (): Database => {
  const [first] = replicas
  if (first === undefined) throw new Error('no replica was started')
  return first
}

const many = (count: number, ask: (index: number) => Promise<string | undefined>) =>
  Promise.all(Array.from({ length: count }, (_one, index) => ask(index))).then((kinds) =>
    Object.fromEntries([...Map.groupBy(kinds, String)].map(([kind, ones]) => [kind, ones.length])),
  )

it('of many requests for one payer at once, by all replicas, one is accepted', async () => {
  const ask = open({ openPrompts: 1 })
  expect(await many(60, () => ask())).toEqual({ accepted: 1, payer_open: 59 })
  expect(await ask({ msisdn: '254712345679' })).toBe('accepted')
  expect(await ask({}, partnerId + 1_000n)).toBe('accepted')
})

it('a payer may be asked again once its payment has ended, and once its prompt is gone', async () => {
  const ask = open({ openPrompts: 1 })
  expect([await ask(), await ask()]).toEqual(['accepted', 'payer_open'])
  await sql`UPDATE payments SET state = 'failed' WHERE partner_id = ${partnerId}`.execute(database())
  expect([await ask(), await ask()]).toEqual(['accepted', 'payer_open'])
  await sql`
    UPDATE payments SET state = 'unconfirmed', submit_by = now() - interval '121 seconds' WHERE partner_id = ${partnerId}
  `.execute(database())
  expect([await ask(), await ask()]).toEqual(['accepted', 'payer_open'])
})

it('a payer whose prompt may come for longer than an hour is asked for no other meanwhile', async () => {
  const ask = open({ openPrompts: 2 })
  await ask({ expiresInSeconds: 86_400 })
  // It was asked for two hours ago, and Daraja has taken nothing since.
  await sql`
    UPDATE payer_prompts SET touched_at = now() - interval '2 hours',
      recent = jsonb_set(recent, '{0,atMs}', to_jsonb(floor(extract(epoch FROM now() - interval '2 hours') * 1000)))
    WHERE partner_id = ${partnerId}
  `.execute(database())
  await forgetCounts(database())
  expect([await ask(), await ask()]).toEqual(['accepted', 'payer_open'])
})

it('a duplicate is a duplicate whatever was reached, and a refusal stores nothing', async () => {
  const ask = open({ openPrompts: 1, promptsPerHour: 1, maxDailyKes: 150 })
  const counts = await many(20, () => ask({ idempotencyKey: 'one' }))
  expect(counts).toEqual({ accepted: 1, duplicate: 19 })
  expect(await ask({ idempotencyKey: 'one', amountKes: 1 })).toBe('key_reused')
  expect(await many(6, () => ask({ idempotencyKey: 'two' }))).toEqual({ payer_open: 6 })
  await sql`UPDATE payments SET state = 'failed' WHERE partner_id = ${partnerId}`.execute(database())
  const later = open({ openPrompts: 1 })
  expect(await later({ idempotencyKey: 'two' })).toBe('accepted')
  expect(await ask({ idempotencyKey: 'two' })).toBe('duplicate')
})

it('no more than so many an hour for one payer, by all replicas', async () => {
  const ask = open({ promptsPerHour: 5 })
  expect(await many(40, () => ask())).toEqual({ accepted: 5, payer_hourly: 35 })
})

it('no more KES than its daily limit for one partner, whoever pays, by all replicas', async () => {
  const ask = open({ maxDailyKes: 1_000 })
  const counts = await many(40, (index) => ask({ msisdn: `2547000000${10 + index}`, amountKes: 150 }))
  expect(counts).toEqual({ accepted: 6, partner_daily: 34 })
  expect(await ask({ amountKes: 100 })).toBe('accepted')
  expect(await ask({ amountKes: 1 })).toBe('partner_daily')
  expect(await ask({ amountKes: 1 }, partnerId + 1_000n)).toBe('accepted')
})

it('a daily limit that is set in the course of a day counts what was asked for before it', async () => {
  const [before, ask] = [open(), open({ maxDailyKes: 1_000 })]
  await before({ amountKes: 900 })
  await before({ amountKes: 5_000 }, partnerId + 1_000n)
  await sql`
    UPDATE payments SET created_at = date_trunc('day', now() AT TIME ZONE 'Africa/Nairobi') AT TIME ZONE 'Africa/Nairobi'
    WHERE partner_id = ${partnerId}
  `.execute(database())
  expect(await ask({ amountKes: 101 })).toBe('partner_daily')
  expect([await ask({ amountKes: 60 }), await ask({ amountKes: 41 })]).toEqual(['accepted', 'partner_daily'])
  expect(await ask({ amountKes: 40 })).toBe('accepted')
  // Taken away, and set again.
  await before({ amountKes: 500 })
  const partner = { database: database(), partnerId, actor: testActor }
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (${partnerId}, 'Duka')`.execute(
    database(),
  )
  await setPartnerSettings({ ...partner, settings: { maxDailyKes: 1_600 } })
  const again = open({ maxDailyKes: 1_600 })
  expect([await again({ amountKes: 101 }), await again({ amountKes: 100 })]).toEqual([
    'partner_daily',
    'accepted',
  ])
})

it('requests without limits go beside those with', async () => {
  const [plain, limited] = [open(), open({ openPrompts: 1 })]
  const counts = await many(30, (index) => (index % 2 === 0 ? plain() : limited()))
  expect(counts).toEqual({ accepted: 16, payer_open: 14 })
})

it('a payer’s number is forgotten an hour after it was last asked', async () => {
  const ask = open({ openPrompts: 1 })
  await ask({ msisdn: '254712345601' })
  await ask({ msisdn: '254712345602' })
  await sql`UPDATE payer_prompts SET touched_at = now() - interval '61 minutes' WHERE msisdn = '254712345601'`.execute(
    database(),
  )
  await sql`UPDATE payments SET state = 'failed' WHERE msisdn = '254712345601'`.execute(database())
  await forgetCounts(database())
  const rows = await database()
    .selectFrom('payer_prompts')
    .select('msisdn')
    .where('partner_id', '=', partnerId)
    .execute()
  expect(rows).toEqual([{ msisdn: '254712345602' }])
})
