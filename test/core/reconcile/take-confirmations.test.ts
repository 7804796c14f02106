import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { takeConfirmations } from '../../../src/core/reconcile/take-confirmations.ts'
import { ensureMonths } from '../../../src/database/partitions.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'

let own: OpenDatabase
beforeAll(async () => {
  own = await openTestDatabase()
})
afterAll(() => own.close())

const HOUR_MS = 3_600_000

/** A payment that was asked for, and whose payer was prompted (null: nobody knows), so many hours ago. */
const putPayment = async (askedHours: number, promptedHours: number | null): Promise<bigint> => {
  const { rows } = await sql<{ id: bigint }>`
    WITH added AS (
      INSERT INTO payments (partner_id, msisdn, amount_kes, callback_url, state, created_at, submit_by)
      VALUES (1, '254712345678', 150, 'https://shop.co.ke/callback', 'unconfirmed',
        now() - make_interval(hours => ${askedHours}), now()) RETURNING id
    ), due AS (
      INSERT INTO to_confirm (payment_id) SELECT id FROM added
    )
    SELECT id FROM added
  `.execute(own.database)
  const id = rows[0]?.id ?? 0n
  if (promptedHours === null) return id
  const at = new Date(Date.now() - promptedHours * HOUR_MS)
  await ensureMonths(own.database, 'payment_history', [at])
  await sql`
    INSERT INTO payment_history (payment_id, from_state, to_state, cause, at)
    VALUES (${id}, 'accepted', 'submitting', 'taken_for_submission', ${at})
  `.execute(own.database)
  return id
}

const take = async () => {
  const window = await takeConfirmations({
    database: own.database,
    accountId: 0n,
    since: '-infinity',
    reconcileAfterMs: HOUR_MS,
    random: () => 0,
  })
  const hoursAgo = (at: Date): number => Math.round((10 * (Date.now() - at.getTime())) / HOUR_MS) / 10
  return (
    window && {
      ids: window.payments.map(({ paymentId }) => paymentId),
      from: hoursAgo(window.from),
      to: hoursAgo(window.to),
    }
  )
}

it('looks for payments about when their payers were prompted, which may be long after they were asked for', async () => {
  const [late, older, old] = [await putPayment(30, 10), await putPayment(50, 40), await putPayment(50, 49)]
  const unknown = await putPayment(10, null)
  expect(old).toBeGreaterThan(0n)
  expect(await take()).toEqual({ ids: [older], from: 40.1, to: 39 })
  expect(await take()).toEqual({ ids: [late, unknown], from: 10.1, to: 9 })
  expect(await take()).toBeNull()
})
