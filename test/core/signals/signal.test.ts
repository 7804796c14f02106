import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signalOnce } from '../../../src/core/signals/signal.ts'
import type { Database } from '../../../src/database/connect.ts'
import { connectDatabase } from '../../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { addDeliveries } from '../../support/deliveries.ts'
import { quietLog } from '../../support/quiet-log.ts'

let testDatabase: TestDatabase
let database: Database

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  database = connectDatabase({ databaseUrl: testDatabase.url, poolSize: 6, log: quietLog })
})
afterAll(async () => {
  await database.destroy()
  await testDatabase.drop()
})
beforeEach(async () => {
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'Duka la Wanjiku')`.execute(
    database,
  )
})
afterEach(async () => {
  await sql`
    TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters, payment_findings, payments, to_submit,
             signal_conditions, daraja_accounts, partners CASCADE
  `.execute(database)
  await sql`UPDATE signal_pace SET at = '-infinity'`.execute(database)
})

const SINK = 'http://10.0.0.9:9000/signals'

/** Everything at once: nothing must have lasted, and no time passes between two. */
const AT_ONCE = { lookMs: 0, gapMs: 0, raiseAfterMs: 0, clearAfterMs: 0 }

const look = (given: Partial<Parameters<typeof signalOnce>[0]> = {}) =>
  signalOnce({
    database,
    url: SINK,
    overdueAfterMs: 900_000,
    pace: AT_ONCE,
    ...given,
  })

/** The types that a look told. */
const typesOf = async (given: Partial<Parameters<typeof signalOnce>[0]> = {}): Promise<string[]> =>
  (await look(given)).map(({ signal }) => signal.type)

const readSignals = async () => {
  const rows = await database
    .selectFrom('deliveries')
    .select(['id', 'webhook_id', 'callback_url', 'host', 'body'])
    .where('partner_id', '=', 0n)
    .orderBy('id')
    .execute()
  return rows.map((row) => {
    const body: unknown = JSON.parse(row.body)
    return Object.assign(row, { body })
  })
}

/** Deliveries of partner 7 that died at an endpoint. */
const addDead = async (count: number, host = 'shop.example', errorClass = 'status'): Promise<bigint[]> => {
  const ids = await addDeliveries(
    database,
    Array.from({ length: count }, () => `https://${host}/told`),
  )
  await sql`DELETE FROM to_deliver WHERE delivery_id = ANY (${ids}::bigint[])`.execute(database)
  await sql`UPDATE deliveries SET state = 'dead', ended_at = now() WHERE id = ANY (${ids}::bigint[])`.execute(
    database,
  )
  await sql`
    INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
    SELECT id, partner_id, host, ${errorClass}, 'the last attempt failed' FROM deliveries WHERE id = ANY (${ids}::bigint[])
  `.execute(database)
  return ids
}

const setEndpoint = (state: string, opens = 1, host = 'shop.example') =>
  sql`
    INSERT INTO endpoints (partner_id, host, state, opens) VALUES (7, ${host}, ${state}::endpoint_state, ${opens})
    ON CONFLICT (partner_id, host) DO UPDATE SET state = excluded.state, opens = excluded.opens
  `.execute(database)

describe('deliveries that died', () => {
  it('are told once, counted by endpoint and error, in one signal however many they are', async () => {
    const ids = await addDead(10_000)
    await addDead(3, 'till.example', 'timeout')
    expect(await typesOf()).toEqual(['delivery.dead'])
    const [signal] = await readSignals()
    expect(signal).toMatchObject({
      webhook_id: `msg_signal_${signal?.id}`,
      callback_url: 'http://10.0.0.9:9000/',
      host: '10.0.0.9:9000',
      body: {
        type: 'delivery.dead',
        text: '10003 deliveries are dead: 10000 of Duka la Wanjiku at shop.example (status), 3 of Duka la Wanjiku at till.example (timeout).',
        data: {
          count: 10_003,
          endpoints: [
            {
              partner_id: 7,
              partner: 'Duka la Wanjiku',
              host: 'shop.example',
              count: 10_000,
              error_class: 'status',
              newest_delivery_id: Number(ids.at(-1)),
            },
            { host: 'till.example', count: 3 },
          ],
        },
      },
    })
    expect(await typesOf()).toEqual([])
  })

  it('are told again when they were sent again and died again', async () => {
    const [id] = await addDead(1)
    expect(await typesOf()).toEqual(['delivery.dead'])
    await sql`DELETE FROM dead_letters`.execute(database)
    await sql`
      INSERT INTO dead_letters (delivery_id, partner_id, host, reason) VALUES (${id}, 7, 'shop.example', 'again')
    `.execute(database)
    expect(await typesOf()).toEqual(['delivery.dead'])
  })

  it('are no news when an operator cancelled them, or they were of test payments, or are signals', async () => {
    const ids = await addDead(3)
    await sql`UPDATE deliveries SET state = 'cancelled' WHERE id = ${ids[0]}`.execute(database)
    await sql`UPDATE dead_letters SET partner_id = -7 WHERE delivery_id = ${ids[1]}`.execute(database)
    await sql`UPDATE dead_letters SET partner_id = 0 WHERE delivery_id = ${ids[2]}`.execute(database)
    expect(await typesOf()).toEqual([])
  })

  it('wait for the next minute after a signal of their type, and are all in that one', async () => {
    const pace = { ...AT_ONCE, gapMs: 60_000 }
    await addDead(1)
    expect(await typesOf({ pace })).toEqual(['delivery.dead'])
    for (const host of ['a.example', 'b.example', 'c.example']) {
      await addDead(2, host)
      expect(await typesOf({ pace })).toEqual([])
    }
    await sql`UPDATE signal_pace SET at = now() - interval '61 seconds'`.execute(database)
    const [told] = await look({ pace })
    expect(told?.signal.data).toMatchObject({ count: 6 })
  })
})

describe('an endpoint', () => {
  it('is told down with why, and back with since when it was down', async () => {
    await addDeliveries(database, ['https://shop.example/told'])
    await sql`UPDATE to_deliver SET held_at = now()`.execute(database)
    await sql`
      INSERT INTO attempts (delivery_id, number, finished_at, status, error_class)
      SELECT delivery_id, 1, now(), 500, 'status' FROM to_deliver
    `.execute(database)
    await setEndpoint('open')
    expect(await typesOf()).toEqual(['endpoint.down'])
    expect(await typesOf()).toEqual([])
    await sql`DELETE FROM endpoints`.execute(database)
    expect(await typesOf()).toEqual(['endpoint.back'])
    const [down, back] = await readSignals()
    expect(down?.body).toMatchObject({
      text: '1 endpoint is down: Duka la Wanjiku at shop.example (HTTP 500).',
      data: { count: 1, endpoints: [{ host: 'shop.example', status: 500, error_class: 'status' }] },
    })
    expect(back?.body).toMatchObject({ text: '1 endpoint is back: Duka la Wanjiku at shop.example.' })
  })

  it('is not told when it is down for a moment', async () => {
    const pace = { ...AT_ONCE, raiseAfterMs: 30_000 }
    await setEndpoint('open')
    expect(await typesOf({ pace })).toEqual([])
    await sql`DELETE FROM endpoints`.execute(database)
    await sql`UPDATE signal_conditions SET since = since - interval '1 minute'`.execute(database)
    expect(await typesOf({ pace })).toEqual([])
    expect(await database.selectFrom('signal_conditions').selectAll().execute()).toEqual([])
  })

  it('that comes and goes is told down once, and back once it stays', async () => {
    const pace = { ...AT_ONCE, clearAfterMs: 60_000 }
    const told: string[] = []
    for (const _one of [1, 2, 3, 4]) {
      await setEndpoint('open')
      told.push(...(await typesOf({ pace })))
      await setEndpoint('ramping')
      told.push(...(await typesOf({ pace })))
    }
    expect(told).toEqual(['endpoint.down'])
    await sql`UPDATE signal_conditions SET ended_at = now() - interval '61 seconds'`.execute(database)
    expect(await typesOf({ pace })).toEqual(['endpoint.back'])
  })

  it('is not back for being closed untried, with nothing held any more', async () => {
    await setEndpoint('open', 3)
    expect(await typesOf()).toEqual(['endpoint.down'])
    await setEndpoint('closed', 3)
    expect(await typesOf()).toEqual([])
    await setEndpoint('closed', 0)
    expect(await typesOf()).toEqual(['endpoint.back'])
  })

  it('is one of ten thousand in one signal that names the first', async () => {
    await sql`
      INSERT INTO endpoints (partner_id, host, state, opens)
      SELECT 7, number || '.example', 'open', 1 FROM generate_series(1, 10000) number
    `.execute(database)
    const [told, ...more] = await look()
    expect(more).toEqual([])
    const data = told?.signal.type === 'endpoint.down' ? told.signal.data : undefined
    expect(data?.count).toBe(10_000)
    expect(data?.endpoints).toHaveLength(20)
  })
})

describe('payments and Daraja', () => {
  it('findings are told without their detail, which holds receipts and numbers', async () => {
    await addPayment(1)
    await sql`
      INSERT INTO payment_findings (payment_id, kind, detail)
      VALUES (1, 'different_payer', 'callback: 254712345678'), (1, 'different_amount', 'callback: 7')
    `.execute(database)
    expect(await typesOf()).toEqual(['payment.finding'])
    expect(await typesOf()).toEqual([])
    const [signal] = await readSignals()
    expect(signal?.body).toMatchObject({
      text: expect.stringMatching(/^2 reports do not fit their payments: payment 1 \(/),
      data: { count: 2, findings: [{ payment_id: 1, partner_id: 7 }, { payment_id: 1 }] },
    })
    expect(JSON.stringify(signal?.body)).not.toMatch(/254\d{9}|callback/)
  })

  it('overdue payments are told when the first is, and when none is any more', async () => {
    await addPayment(1)
    await sql`INSERT INTO to_submit (payment_id, submit_by) VALUES (1, now())`.execute(database)
    expect(await typesOf()).toEqual(['payments.overdue'])
    await sql`DELETE FROM to_submit`.execute(database)
    expect(await typesOf()).toEqual(['payments.caught_up'])
    const [overdue, caughtUp] = await readSignals()
    expect(overdue?.body).toMatchObject({
      text: '1 payment is still open after 900 seconds.',
      data: { count: 1, after_seconds: 900 },
    })
    expect(caughtUp?.body).toMatchObject({ text: 'No payment is overdue any more.' })
  })

  it('Daraja is told to hold off, and to take payments again a minute after the last hold', async () => {
    const hold = (ago: string) =>
      sql`
        INSERT INTO daraja_accounts (shortcode, held_until, holds, held_since)
        VALUES ('174379', now() - ${ago}::interval, 4, now() - interval '3 minutes'),
               ('test-7', now(), 4, now() - interval '3 minutes')
        ON CONFLICT (shortcode) DO UPDATE SET held_until = excluded.held_until
      `.execute(database)
    await hold('10 seconds')
    expect(await typesOf()).toEqual(['daraja.holding_off'])
    await hold('61 seconds')
    expect(await typesOf()).toEqual(['daraja.back'])
    const [off] = await readSignals()
    expect(off?.body).toMatchObject({ text: 'Daraja holds us off: shortcode 174379.' })
  })
})

it('replicas that look at once tell everything once between them', async () => {
  await addDead(50)
  await setEndpoint('open')
  const told = await Promise.all(Array.from({ length: 6 }, () => typesOf()))
  expect(told.flat().toSorted()).toEqual(['delivery.dead', 'endpoint.down'])
  expect(await typesOf({ pace: { ...AT_ONCE, lookMs: 10_000 } })).toEqual([])
})

const addPayment = (id: number) =>
  sql`
    INSERT INTO payments (id, partner_id, msisdn, amount_kes, callback_url, state, created_at, submit_by)
    OVERRIDING SYSTEM VALUE
    VALUES (${id}, 7, '254712345678', 100, 'https://shop.example/told', 'accepted', now() - interval '1 hour', now())
  `.execute(database)
