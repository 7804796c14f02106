import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { holdAccount } from '../../../src/core/daraja/back-off.ts'
import { createWaitReader } from '../../../src/core/overload/read-waits.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { acceptPayments, takePayments } from '../../support/payments.ts'

const SHORTCODE = '174379'

const readWaits = (database: Database, shortcode: string) =>
  createWaitReader({ database, shortcode, nowMs: () => performance.now() })()

let test: OpenDatabase
beforeAll(async () => {
  test = await openTestDatabase()
})
afterAll(() => test.close())

/** Accepts a payment through an account, which has been due for so long, ms. */
const accept = async (dueForMs: number, accountId = 0n): Promise<bigint> => {
  const [id = 0n] = await acceptPayments(test.database, 1)
  await test.database
    .updateTable('to_submit')
    .set({ account_id: accountId, due_at: sql`now() - make_interval(secs => ${dueForMs / 1000})` })
    .where('payment_id', '=', id)
    .execute()
  return id
}

it('reads what waits longest for its push, of each account, and what is held', async () => {
  expect(await readWaits(test.database, SHORTCODE)).toEqual(new Map())
  const first = await accept(60_000)
  await accept(3_000)
  await accept(7_000, 5n)
  await accept(-60_000, 6n)
  const whole = await readWaits(test.database, SHORTCODE)
  expect([...whole.keys()]).toEqual([0n, 5n])
  expect(whole.get(0n)?.waitedMs).toBeGreaterThanOrEqual(60_000)
  expect([whole.get(0n)?.isHeld, whole.get(5n)?.isHeld]).toEqual([false, false])

  // Whatever process takes it: it does not wait any more.
  expect((await takePayments(test.database, { limit: 1 })).toPush).toMatchObject([{ id: first }])
  const taken = await readWaits(test.database, SHORTCODE)
  expect(taken.get(0n)?.waitedMs).toBeGreaterThanOrEqual(3_000)
  expect(taken.get(0n)?.waitedMs).toBeLessThan(60_000)

  await holdAccount(test.database, { shortcode: SHORTCODE, afterMs: 30_000, code: '500.003.02' })
  expect((await readWaits(test.database, SHORTCODE)).get(0n)?.isHeld).toBe(true)
  expect((await readWaits(test.database, 'another')).get(0n)?.isHeld).toBe(false)
})
