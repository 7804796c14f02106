import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import {
  acceptPayment,
  readBodies,
  readMoves,
  readPayment,
  record,
  takePayments,
} from '../../support/payments.ts'

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  // The payments of this test's support are those of partner 1.
  await database.insertInto('partners').values({ name: 'Duka' }).execute()
})
afterAll(() => own.close())

const disable = (isDisabled: boolean) =>
  sql`UPDATE partners SET disabled_at = ${isDisabled ? new Date() : null} WHERE id = 1`.execute(database)

it('nobody is prompted for a disabled partner: what it has accepted fails, and is delivered', async () => {
  const id = await acceptPayment(database)
  await disable(true)
  const taken = await takePayments(database)
  expect(taken.toPush).toEqual([])
  expect(taken.settlements).toHaveLength(1)
  expect(await readMoves(database, id)).toEqual(['accepted>failed partner_disabled'])
  expect(await readPayment(database, id)).toMatchObject({
    result_code: 'NOT_PROMPTED',
    result_desc: 'The payer was not prompted: the partner is disabled.',
  })
  expect(await readBodies(database, id)).toMatchObject([{ status: 'failed', result_code: 'NOT_PROMPTED' }])
  await disable(false)
})

it('what was pushed before is settled and delivered as ever', async () => {
  const id = await acceptPayment(database)
  const [payment] = (await takePayments(database)).toPush
  if (payment?.id !== id) throw new Error('it was not taken')
  await disable(true)
  await record(database, [
    {
      paymentId: id,
      take: payment.takes,
      outcome: { kind: 'refused', code: '400.002.02', message: 'Bad Request - Invalid PhoneNumber' },
    },
  ])
  expect(await readBodies(database, id)).toMatchObject([{ status: 'failed' }])
  await disable(false)
})
