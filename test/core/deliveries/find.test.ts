import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelDeliveries } from '../../../src/core/deliveries/cancel.ts'
import { countDeliveries } from '../../../src/core/deliveries/count.ts'
import { type DeliveryFilter, matching, parseHost } from '../../../src/core/deliveries/filter.ts'
import { findAttempts, findDelivery, listDeliveries } from '../../../src/core/deliveries/find.ts'
import { findFitting } from '../../../src/core/deliveries/find-fitting.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries, addDelivery } from '../../support/deliveries.ts'
import { AMINA, attempted, clear, EVERYTHING, end, hold, lease } from './harness.ts'

const URL = 'https://shop.co.ke/callback'

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())
beforeEach(() => clear(database))

const list = (filter: Partial<DeliveryFilter>, limit = 100, before: bigint | null = null) =>
  listDeliveries({ database, filter: { ...EVERYTHING, ...filter }, limit, before }).then(
    (found) => found.deliveries,
  )

const idsOf = async (filter: Partial<DeliveryFilter>): Promise<bigint[]> =>
  (await list(filter)).map((row) => row.delivery_id)

describe('deliveries', () => {
  it('are found by state, partner, host, class of error and time, newest first, and counted the same', async () => {
    const [pending = 0n, held = 0n, delivered = 0n, dead = 0n, cancelled = 0n] = await addDeliveries(
      database,
      [URL, URL, URL, URL, URL],
    )
    const theirs = await addDelivery(database, 'http://127.0.0.1:8091/', 8n)
    await attempted(database, pending, { status: 503, errorClass: 'status' })
    await attempted(database, held, { errorClass: 'dns' })
    await hold(database, held)
    await attempted(database, delivered, { status: 200 })
    await end(database, delivered, 'delivered')
    await end(database, dead, 'dead')
    await attempted(database, cancelled, { errorClass: 'dns' })
    await cancelDeliveries({ database, actor: AMINA, ids: [cancelled], reason: 'sold out' })
    await sql`UPDATE deliveries SET created_at = now() - interval '2 days' WHERE id <= ${held}`.execute(
      database,
    )
    const yesterday = new Date(Date.now() - 86_400_000)

    const cases: [Partial<DeliveryFilter>, bigint[]][] = [
      [{}, [theirs, cancelled, dead, delivered, held, pending]],
      [{ state: 'pending' }, [theirs, pending]],
      [{ state: 'held' }, [held]],
      [{ state: 'delivered' }, [delivered]],
      [{ state: 'dead' }, [dead]],
      [{ state: 'cancelled' }, [cancelled]],
      [{ partnerId: 7n }, [cancelled, dead, delivered, held, pending]],
      [{ partnerId: 8n, state: 'pending' }, [theirs]],
      [{ partnerId: 8n, state: 'dead' }, []],
      [{ host: '127.0.0.1:8091' }, [theirs]],
      [{ host: 'shop.co.ke', state: 'pending' }, [pending]],
      [{ errorClass: 'dns' }, [cancelled, held]],
      [{ errorClass: 'status' }, [dead, pending]],
      [{ errorClass: 'dns', state: 'held' }, [held]],
      [{ createdSince: yesterday }, [theirs, cancelled, dead, delivered]],
      [{ createdUntil: yesterday }, [held, pending]],
      [{ createdSince: yesterday, state: 'pending' }, [theirs]],
    ]
    for (const [filter, ids] of cases) {
      expect([filter, await idsOf(filter)]).toEqual([filter, ids])
      const counted = await countDeliveries(database, { ...EVERYTHING, ...filter }, 6)
      expect([filter, counted]).toEqual([filter, { found: ids.length, isMore: false }])
      for (const piece of [1, 2, 6, 7]) {
        const found: bigint[] = []
        for await (const part of findFitting(database, { ...EVERYTHING, ...filter }, piece))
          found.push(...part)
        expect([filter, found]).toEqual([filter, ids.toReversed()])
      }
    }
  })

  it('are counted of so many that could fit, the newest, and it is said that there are more', async () => {
    const ids = await addDeliveries(database, [URL, URL, URL, URL, URL])
    await hold(database, ids[0] ?? 0n)
    const count = (filter: Partial<DeliveryFilter>, most: number) =>
      countDeliveries(database, { ...EVERYTHING, ...filter }, most)
    expect(await count({ state: 'pending' }, 3)).toEqual({ found: 3, isMore: true })
    expect(await count({ state: 'pending', partnerId: 7n, createdSince: new Date(0) }, 4)).toEqual({
      found: 4,
      isMore: true,
    })
    expect(await count({ state: 'held' }, 3)).toEqual({ found: 0, isMore: true })
    expect(await count({ state: 'held' }, 5)).toEqual({ found: 1, isMore: false })
    expect(await count({ state: 'dead' }, 4)).toEqual({ found: 0, isMore: false })
    expect(await count({ state: 'delivered' }, 4)).toEqual({ found: 0, isMore: true })
  })

  it('that are held have no attempt ahead, but say what their endpoint is, and until when', async () => {
    const id = await addDelivery(database, URL)
    await hold(database, id)
    const shown = async () => {
      const found = await findDelivery(database, id)
      expect(found).toMatchObject({ state: 'held', next_attempt_at: null, held_at: expect.any(Date) })
      return [found?.held_because, found?.held_until]
    }
    expect(await shown()).toEqual(['ramping', null])
    const openUntil = new Date('2026-05-04T18:00:00Z')
    await database
      .insertInto('endpoints')
      .values({ partner_id: 7n, host: 'shop.co.ke', state: 'open', open_until: openUntil })
      .execute()
    expect(await shown()).toEqual(['down', openUntil])
    await sql`UPDATE endpoints SET state = 'half_open'`.execute(database)
    expect(await shown()).toEqual(['probing', null])
    await sql`UPDATE endpoints SET state = 'ramping'`.execute(database)
    expect(await shown()).toEqual(['ramping', null])
    await sql`UPDATE endpoints SET state = 'open', paused_at = now()`.execute(database)
    expect(await shown()).toEqual(['paused', null])
    await sql`UPDATE to_deliver SET held_at = NULL`.execute(database)
    expect(await findDelivery(database, id)).toMatchObject({
      state: 'pending',
      next_attempt_at: expect.any(Date),
      held_because: null,
      held_until: null,
    })
  })

  it('are listed with their state, what their last attempt that ended came to, and whether one is under way', async () => {
    const id = await addDelivery(database, URL)
    await attempted(database, id, { status: 200, errorClass: 'too_large' })
    await attempted(database, id, { status: 503, errorClass: 'status' })
    await sql`
      INSERT INTO attempts (delivery_id, number, started_at) VALUES (${id}, 3, clock_timestamp())
    `.execute(database)
    await lease(database, id)
    const [row] = await list({})
    expect(row).toMatchObject({
      delivery_id: id,
      payment_id: 1001n,
      partner_id: 7n,
      host: 'shop.co.ke',
      webhook_id: expect.stringMatching(/^msg_/),
      state: 'pending',
      is_under_way: true,
      held_at: null,
      error_class: 'status',
      status: 503,
      reason: null,
    })
    expect(await findDelivery(database, id)).toEqual({ ...row, callback_url: URL })
    expect(await findDelivery(database, 999_999n)).toBeUndefined()
  })

  it('come in pages that hold each once', async () => {
    const ids = await addDeliveries(
      database,
      Array.from({ length: 5 }, () => URL),
    )
    const first = await list({ state: 'pending' }, 3)
    const second = await list({ state: 'pending' }, 3, first.at(-1)?.delivery_id)
    expect([...first, ...second].map((row) => row.delivery_id)).toEqual(ids.toReversed())
  })

  it('of few open among many that were delivered are found without reading the many', async () => {
    await addDeliveries(
      database,
      Array.from({ length: 30 }, () => URL),
    )
    await sql`
      INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body, state)
      SELECT number, 7, 'msg_' || number, 'https://shop.co.ke/', 'shop.co.ke', '{}', 'delivered'
      FROM generate_series(1, 20000) AS numbers (number)
    `.execute(database)
    await sql`ANALYZE deliveries, to_deliver, dead_letters`.execute(database)
    for (const state of ['pending', 'held', 'dead', 'cancelled'] as const) {
      const filter = { ...EVERYTHING, partnerId: 7n, state, createdSince: new Date(0) }
      const { rows } = await sql<{ 'QUERY PLAN': { Plan: PlanNode }[] }>`
        EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM (${matching(filter)}) fitting ORDER BY id DESC LIMIT 20
      `.execute(database)
      const read = rowsRead(rows[0]?.['QUERY PLAN'][0]?.Plan)
      expect([state, read <= 100]).toEqual([state, true])
    }
  })
})

type PlanNode = {
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  Plans?: PlanNode[]
}

/** How many rows of tables a plan came past. */
const rowsRead = (node: PlanNode | undefined): number => {
  if (node === undefined) return 0
  const own = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
  const below = (node.Plans ?? []).reduce((sum, plan) => sum + rowsRead(plan), 0)
  return (node['Relation Name'] === undefined ? 0 : own) + below
}

it('attempts are listed with all that is kept of them, oldest first', async () => {
  const id = await addDelivery(database, URL)
  await attempted(database, id, { status: 503, errorClass: 'status', answer: 'busy' })
  await sql`INSERT INTO attempts (delivery_id, number, started_at) VALUES (${id}, 2, clock_timestamp())`.execute(
    database,
  )
  expect(await findAttempts(database, id)).toEqual([
    {
      number: 1,
      started_at: expect.any(Date),
      finished_at: expect.any(Date),
      duration_ms: 12,
      address: '203.0.113.9',
      status: 503,
      error_class: 'status',
      answer: 'busy',
    },
    expect.objectContaining({ number: 2, finished_at: null, status: null, answer: null }),
  ])
})

it.each([
  ['shop.co.ke', 'shop.co.ke'],
  ['Shop.co.ke:8443', 'shop.co.ke:8443'],
  ['[2001:db8::1]', '[2001:db8::1]'],
  ['https://shop.co.ke', null],
  ['shop.co.ke/callback', null],
  ['amina@shop.co.ke', null],
  ['shop.co.ke:443', 'shop.co.ke:443'],
  ['', null],
])('the host %j is read as %j', (text, host) => {
  const parsed = parseHost(text)
  expect(parsed.ok ? parsed.value : null).toBe(host)
})
