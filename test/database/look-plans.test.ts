import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DeliveryFilter } from '../../src/core/deliveries/filter.ts'
import { lookForDeliveries } from '../../src/core/deliveries/look.ts'
import { lookForPayments } from '../../src/core/payments/list.ts'
import { NO_FILTER, type Page, type PaymentFilter } from '../../src/core/payments/payment-filter.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { planByIndex } from '../../src/database/plan-by-size.ts'
import { PLANNED_BY_SIZE } from '../../src/database/plan-settings.ts'
import type { Reference } from '../../src/values/reference.ts'
import { EVERYTHING } from '../core/deliveries/harness.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { blocksOf, collectPlans, EXPLAIN_ALL, readWhole } from '../support/explain.ts'
import { loadHistory } from '../support/history.ts'
import { addPartner } from '../support/partner.ts'
import { quietLog } from '../support/quiet-log.ts'

/** Payments that ended: `PAYMENTS=10000000` makes no difference. */
const PAYMENTS = Number(process.env['PAYMENTS'] ?? 10_000)
const PARTNERS = 2

/** What a look comes past at most, and the blocks that it may touch: each row of a partner's may be on a page of its own. */
const MOST = 200
const BLOCKS = 600

const LIMIT = 51

/** Tables that grow with the payments. */
const GROWING = /^(?:payments|deliveries|payment_history|attempts|receipts)_\d/

const explained = collectPlans()

/** As the console reads them: planned by size, but for what a look sets itself. */
describe('what a page of a list costs in which nothing, or hardly anything, fits', () => {
  let own: TestDatabase
  let database: Database

  beforeAll(async () => {
    own = await createTestDatabase()
    const settings = { ...PLANNED_BY_SIZE, ...EXPLAIN_ALL }
    database = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog, settings })
    for (let number = 0; number < PARTNERS; number += 1) await addPartner(database)
  })
  afterAll(async () => {
    await database.destroy()
    await own.drop()
  })

  const ONE = { partnerId: 1n }
  const REFERENCE = 'INV-2025-001' as Reference
  const aDayAgo = () => new Date(Date.now() - 86_400_000)

  const PAYMENT_PAGES: [string, Pick<Page, 'owner'> & { filter: () => Partial<PaymentFilter> }][] = [
    ['all', { owner: 'anybody', filter: () => ({}) }],
    ['failed', { owner: 'anybody', filter: () => ({ state: 'failed' }) }],
    ['failed of a partner', { owner: ONE, filter: () => ({ state: 'failed' }) }],
    ['failed of a day', { owner: 'anybody', filter: () => ({ state: 'failed', createdTo: aDayAgo() }) }],
    [
      'failed of a reference',
      { owner: 'anybody', filter: () => ({ state: 'failed', reference: REFERENCE }) },
    ],
    ['failed tests', { owner: 'anybody_testing', filter: () => ({ state: 'failed' }) }],
    ['successful tests', { owner: 'anybody_testing', filter: () => ({ state: 'successful' }) }],
    ['unconfirmed', { owner: 'anybody', filter: () => ({ state: 'unconfirmed' }) }],
  ]

  const SUCCESSFUL_PAGES: typeof PAYMENT_PAGES = [
    ['successful', { owner: 'anybody', filter: () => ({ state: 'successful' }) }],
    ['successful of a partner', { owner: ONE, filter: () => ({ state: 'successful' }) }],
    [
      'successful of a reference and a partner',
      { owner: ONE, filter: () => ({ state: 'successful', reference: REFERENCE }) },
    ],
  ]

  const DELIVERY_PAGES: [string, () => Partial<DeliveryFilter>][] = [
    ['all', () => ({})],
    ['a host', () => ({ host: 'none.example' })],
    ['a host of a partner', () => ({ host: 'none.example', ...ONE })],
    ['delivered to a host', () => ({ host: 'none.example', state: 'delivered' })],
    ['until a day ago', () => ({ createdUntil: aDayAgo() })],
    [
      'until a day ago to a host of a partner',
      () => ({ host: 'none.example', ...ONE, createdUntil: aDayAgo() }),
    ],
    ['tests', () => ({ isTest: true })],
    ['delivered with an error', () => ({ state: 'delivered', errorClass: 'dns' })],
    ['dead', () => ({ state: 'dead' })],
    ['an error', () => ({ errorClass: 'dns' })],
  ]

  const judge = async (what: string, look: () => Promise<unknown>): Promise<void> => {
    explained.length = 0
    await look()
    const blocks = explained.reduce((sum, one) => sum + blocksOf(one), 0)
    if (process.env['PAYMENTS'] !== undefined) process.stdout.write(`${what}: ${blocks} blocks\n`)
    expect([what, readWhole(explained, GROWING)]).toEqual([what, []])
    expect([what, blocks < BLOCKS ? 'few' : blocks]).toEqual([what, 'few'])
  }

  const judgePayments = async (pages: typeof PAYMENT_PAGES): Promise<void> => {
    for (const [what, { owner, filter }] of pages)
      await judge(`payments: ${what}`, () =>
        planByIndex(database, (transaction) => {
          const page = { owner, filter: { ...NO_FILTER, ...filter() }, limit: LIMIT, before: null }
          return lookForPayments(transaction, { ...page, most: MOST })
        }),
      )
  }

  const judgeAll = async (): Promise<void> => {
    await judgePayments([...PAYMENT_PAGES, ...SUCCESSFUL_PAGES])
    for (const [what, filter] of DELIVERY_PAGES)
      await judge(`deliveries: ${what}`, () =>
        planByIndex(database, (transaction) =>
          lookForDeliveries(transaction, {
            filter: { ...EVERYTHING, ...filter() },
            limit: LIMIT,
            before: null,
            most: MOST,
          }),
        ),
      )
  }

  it('is a few blocks while the tables are empty, and beside what has come since', async () => {
    await judgeAll()
    await loadHistory(database, { payments: PAYMENTS, partners: PARTNERS })
    await sql`VACUUM payments, deliveries`.execute(database)
    await judgeAll()
    await sql`ANALYZE`.execute(database)
    await judgeAll()
  }, 3_600_000)

  it('is so too where nearly all failed', async () => {
    await sql`UPDATE payments SET state = 'failed' WHERE id > ${PAYMENTS / 10}`.execute(database)
    await sql`
      UPDATE deliveries SET webhook_id = 'msg_' || payment_id || '_failed' WHERE payment_id > ${PAYMENTS / 10}
    `.execute(database)
    await sql`VACUUM (ANALYZE) payments, deliveries`.execute(database)
    await judgeAll()
  }, 3_600_000)
})
