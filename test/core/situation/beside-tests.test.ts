import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { loadHistory } from '../../support/history.ts'
import { addPartner } from '../../support/partner.ts'
import { readTold, toldOf } from './told.ts'

// Test payments are told of nowhere, and hide nothing of the real ones, however many a partner asks for.

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  await addPartner(database)
})
afterAll(() => own.close())

const makeTests = (condition: ReturnType<typeof sql>): Promise<unknown> =>
  sql`UPDATE payments SET partner_id = -1, account_id = -1 WHERE ${condition}`.execute(database)

it('says when the last real payment was asked for, and of none but test payments that they are such', async () => {
  const told = async () => {
    const { sentences, lastPaymentAt } = await readTold(database)
    return { text: sentences.find(({ name }) => name === 'all_well')?.text, lastPaymentAt }
  }
  await loadHistory(database, { payments: 120, partners: 1 })
  await sql`UPDATE traffic_counted SET events_at = now(), attempts_to = now()`.execute(database)
  const first = await database
    .selectFrom('payments')
    .select(['id', 'created_at'])
    .orderBy('id')
    .executeTakeFirstOrThrow()
  await makeTests(sql`id > ${first.id}`)
  expect(await told()).toEqual({
    text: `All is well. The last payment was asked for at ${first.created_at.toISOString().slice(11, 16)} UTC.`,
    lastPaymentAt: first.created_at,
  })

  await makeTests(sql`true`)
  expect(await told()).toEqual({
    text: 'All is well. The last payments that were asked for are all test payments.',
    lastPaymentAt: null,
  })
})

it('tells of what does not fit real payments, however much does not fit newer test payments', async () => {
  await sql`UPDATE payments SET partner_id = 1, account_id = 0 WHERE id = (SELECT min(id) FROM payments)`.execute(
    database,
  )
  await sql`
    INSERT INTO payment_findings (payment_id, kind, detail, at)
    SELECT id, 'different_receipt', '', now() - make_interval(hours => CASE WHEN partner_id > 0 THEN 2 ELSE 1 END)
    FROM payments
  `.execute(database)
  expect(await toldOf(database, 'findings_open')).toMatchObject([{ count: 1, isMore: false }])
})
