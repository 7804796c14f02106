import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countDeliveries } from '../../src/core/deliveries/count.ts'
import type { DeliveryFilter } from '../../src/core/deliveries/filter.ts'
import { findFitting } from '../../src/core/deliveries/find-fitting.ts'
import { listEndpoints } from '../../src/core/deliveries/list-endpoints.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { PLANNED_BY_SIZE } from '../../src/database/plan-settings.ts'
import { EVERYTHING } from '../core/deliveries/harness.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { collectPlans, EXPLAIN_ALL, readWhole, sumOfBlocks } from '../support/explain.ts'
import { loadHistory } from '../support/history.ts'
import { addPartner } from '../support/partner.ts'
import { quietLog } from '../support/quiet-log.ts'

/** Payments that ended, and deliveries that wait, and that are dead: `PAYMENTS=1000000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 20_000)
const PARTNERS = 2

/** What is looked at at most, and the blocks that it takes: each may be on a page of its own, and be looked up. */
const MOST = 100
const BLOCKS = 1_500

/** Hosts of callback URLs that have something held and dead. */
const HOSTS = 10

const GROWING = /^(?:deliveries|attempts)_\d|^(?:to_deliver|dead_letters)$/

const explained = collectPlans()

/** As the console counts: planned by size, but for what a count sets itself. */
describe('what it costs to count deliveries', () => {
  let own: TestDatabase
  let database: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    const settings = { ...PLANNED_BY_SIZE, ...EXPLAIN_ALL }
    database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog, settings })
    for (let number = 0; number < PARTNERS; number += 1) await addPartner(database)
    await loadHistory(database, { payments: PAYMENTS, partners: PARTNERS })
    // Odd ones wait, a hundredth of them held; the others died.
    await sql`
      WITH opened AS (
        UPDATE deliveries SET state = 'pending', ended_at = NULL, next_attempt_at = now() WHERE id % 2 = 1
        RETURNING id, partner_id
      )
      INSERT INTO to_deliver (delivery_id, partner_id, host, held_at)
      SELECT id, partner_id, 'shop-' || id / 100 % ${HOSTS} || '.co.ke', CASE WHEN id % 100 = 1 THEN now() END FROM opened
    `.execute(database)
    await sql`
      WITH ended AS (
        UPDATE deliveries SET state = 'dead', dead_reason = 'gone' WHERE id % 2 = 0 RETURNING id, partner_id
      )
      INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
      SELECT id, partner_id, 'shop-' || id / 100 % ${HOSTS} || '.co.ke', 'status', 'gone' FROM ended
    `.execute(database)
  }, 3_600_000)
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  const judge = async (what: string, count: () => Promise<unknown>): Promise<void> => {
    explained.length = 0
    await count()
    expect([what, readWhole(explained, GROWING)]).toEqual([what, []])
    const blocks = sumOfBlocks(explained)
    expect([what, blocks < BLOCKS ? 'few' : blocks]).toEqual([what, 'few'])
  }

  const FILTERS: readonly Partial<DeliveryFilter>[] = [
    { state: 'pending' },
    { state: 'held' },
    { state: 'held', host: 'none.example' },
    { state: 'held', partnerId: 1n },
    { state: 'held', isTest: true },
    { state: 'pending', errorClass: 'dns', partnerId: 2n },
    { state: 'dead' },
    { state: 'dead', partnerId: 1n },
    { state: 'cancelled' },
    { state: 'cancelled', createdUntil: new Date(Date.now() - 60_000) },
    { state: 'dead', errorClass: 'dns', host: 'shop-1.co.ke' },
    { state: 'delivered' },
    { state: 'delivered', partnerId: 1n, host: 'none.example' },
  ]

  const nameOf = (filter: Partial<DeliveryFilter>): string =>
    JSON.stringify(filter, (_, value) => (typeof value === 'bigint' ? String(value) : value))

  const ENDPOINTS = {
    partnerId: null,
    isTest: false,
    host: null,
    pausedOnly: false,
    after: null,
    limit: PARTNERS * HOSTS,
  }

  it('is what so many take that are looked at, however many there are, and whether any fits', async () => {
    for (const analyzed of [false, true]) {
      if (analyzed) await sql`VACUUM (ANALYZE)`.execute(database)
      for (const filter of FILTERS)
        await judge(nameOf(filter), () => countDeliveries(database, { ...EVERYTHING, ...filter }, MOST))
    }
  }, 3_600_000)

  it('is the same for each piece of all that fit, which are changed so', async () => {
    for (const filter of FILTERS) {
      const pieces = findFitting(database, { ...EVERYTHING, ...filter }, MOST)
      for (const number of [1, 2, 3]) await judge(`${nameOf(filter)}, piece ${number}`, () => pieces.next())
    }
  })

  it('is for each endpoint that is listed what so many of its own take', async () => {
    const listed = await listEndpoints({ database, ...ENDPOINTS, most: MOST })
    expect(listed).toHaveLength(PARTNERS * HOSTS)
    expect(listed[0]).toMatchObject({ dead: MOST, dead_or_more: true, pending_or_more: true })
    await judge('all', () => listEndpoints({ database, ...ENDPOINTS, most: MOST / 10 }))
    await judge('one', () => listEndpoints({ database, ...ENDPOINTS, host: 'shop-1.co.ke', most: MOST }))
  })
})
