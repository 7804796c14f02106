import { sql } from 'kysely'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { takeDue } from '../../../src/core/callback/due-callbacks.ts'
import { takeUnpublished } from '../../../src/core/outbox/publish.ts'
import { createDueAccounts } from '../../../src/core/payments/due-accounts.ts'
import type { Database } from '../../../src/database/connect.ts'
import { createLookBack } from '../../../src/database/look-back.ts'
import { findOverdue } from '../../../src/dispatcher/deliver/recover.ts'
import { openTestDatabase } from '../../support/database.ts'
import { leaveDeadDuties } from '../../support/dead-duties.ts'
import { holdSnapshot } from '../../support/hold-snapshot.ts'

// While a snapshot is held, looks for what is due pass over what has died since. What is put back behind that is found.

/** So many dead duties that the next look from the beginning comes after two seconds. */
const DEAD = 10_000
const FROM_BEGINNING_MS = 2_500

let own: Awaited<ReturnType<typeof openTestDatabase>>
let database: Database
let snapshot: Client
let atMs = 0
const nowMs = (): number => atMs

beforeAll(async () => {
  own = await openTestDatabase({ poolSize: 2 })
  ;({ database } = own)
  snapshot = await holdSnapshot(own.url)
  await leaveDeadDuties(database, DEAD)
})
afterAll(async () => {
  await snapshot.end()
  await own.close()
})

/** Looks once, puts a duty back that was due a day ago, and says what is found then, and what two seconds later. */
const whatIsFound = async (look: () => Promise<unknown[]>, putBack: () => Promise<unknown>) => {
  expect(await look()).toEqual([])
  await putBack()
  atMs += 10
  const atOnce = await look()
  atMs += FROM_BEGINNING_MS
  const later = await look()
  return { atOnce: atOnce.length, later: later.length }
}

it.each(['to_submit', 'to_query', 'to_confirm'] as const)('a duty of %s', async (table) => {
  const put = (paymentId: number, accountId: number) =>
    sql`
    INSERT INTO ${sql.table(table)} (payment_id, account_id, due_at) VALUES (${paymentId}, ${accountId}, now() - interval '1 day')
  `.execute(database)
  const find = createDueAccounts(table, { database, nowMs })
  expect(await whatIsFound(find, () => put(1, 0))).toEqual({ atOnce: 0, later: 1 })
  // Of an account that nobody had looked at: nothing that is dead lies before it.
  await put(2, 7)
  await put(3, -7)
  expect((await find()).map(({ accountId }) => accountId)).toEqual(expect.arrayContaining([7n, -7n]))
})

it('a delivery that is to be published', async () => {
  const lookBack = createLookBack(nowMs)
  const found = await whatIsFound(
    () => takeUnpublished(database, lookBack.begin()),
    () => putDelivery(1),
  )
  expect(found).toEqual({ atOnce: 0, later: 1 })
})

it('a delivery that is overdue', async () => {
  await sql`DELETE FROM to_deliver`.execute(database)
  const lookBack = createLookBack(nowMs)
  const found = await whatIsFound(
    () => findOverdue(database, { limit: 5, overdueMs: 0, except: [], look: lookBack.begin() }),
    () => putDelivery(2),
  )
  expect(found).toEqual({ atOnce: 0, later: 1 })
})

const putDelivery = (id: number) =>
  sql`
    INSERT INTO to_deliver (delivery_id, partner_id, host, due_at, publish_at)
    VALUES (${id}, 1, 'shop.co.ke', now() - interval '1 day', now() - interval '1 day')
  `.execute(database)

it('a callback that came a while ago', async () => {
  const lookBack = createLookBack(nowMs)
  const take = async () => {
    const look = lookBack.begin()
    const { callbacks, looked } = await database
      .transaction()
      .execute((transaction) => takeDue(transaction, { limit: 5, look, left: [] }))
    if (looked) look.ended(looked)
    return callbacks
  }
  const id = '019b0000-0000-7000-8000-000000000001'
  const found = await whatIsFound(take, async () => {
    await sql`
      INSERT INTO callbacks (id, received_at, payment_id, is_refused, source_address, headers, body)
      VALUES (${id}, now(), 1, false, '127.0.0.1', '{}', '')
    `.execute(database)
    await sql`INSERT INTO to_interpret (callback_id, received_at) SELECT id, received_at FROM callbacks`.execute(
      database,
    )
  })
  expect(found).toEqual({ atOnce: 0, later: 1 })
})
