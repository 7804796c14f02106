import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listPayments } from '../../../src/core/payments/list.ts'
import { listByLooks } from '../../../src/core/payments/list-by-looks.ts'
import { NO_FILTER } from '../../../src/core/payments/payment-filter.ts'
import type { Msisdn } from '../../../src/values/msisdn.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { loadHistory } from '../../support/history.ts'

let own: OpenDatabase
const PAYER = '254711111111' as Msisdn

beforeAll(async () => {
  own = await openTestDatabase()
  await sql`INSERT INTO partners (name) VALUES ('Duka'), ('Shule'), ('Soko')`.execute(own.database)
  await loadHistory(own.database, { payments: 200, partners: 3 })
  await sql`UPDATE payments SET state = 'submitted' WHERE id % 20 <> 0`.execute(own.database)
  await sql`UPDATE payments SET msisdn = ${PAYER} WHERE id % 4 = 0`.execute(own.database)
})
afterAll(() => own.close())

const successful = { ...NO_FILTER, state: 'successful' } as const

it.each([
  ['everybody’s', { owner: 'anybody', filter: successful }],
  ['a partner’s', { owner: { partnerId: 2n }, filter: successful }],
  ['a payer’s', { owner: 'anybody', filter: { ...successful, msisdn: PAYER } }],
  ['a payer’s of one partner', { owner: { partnerId: 2n }, filter: { ...successful, msisdn: PAYER } }],
] as const)('what hardly any payment fits is found by looks of so many: %s', async (_whose, asked) => {
  for (const limit of [1, 3, 100]) {
    const page = { ...asked, limit, before: null }
    const whole = await listPayments(own.database, page)
    const byLooks = await listByLooks(own.database, { ...page, most: 7 })
    expect(byLooks.map(({ id }) => id)).toEqual(whole.map(({ id }) => id))
    expect(whole.length).toBeGreaterThan(0)
  }
})
