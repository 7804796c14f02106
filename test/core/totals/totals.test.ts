import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import { BY_HAND } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { sumAll } from '../../support/sum-all.ts'
import { putPayment, SHORTCODE, statementsOf } from '../statements/importing.ts'

describe('what was paid', () => {
  let own: OpenDatabase
  beforeAll(async () => {
    own = await openTestDatabase()
    const { database } = own
    await sql`INSERT INTO partners (name) VALUES ('Duka'), ('Shule')`.execute(database)
    await sql`
      INSERT INTO partner_accounts (partner_id, shortcode, transaction_type, party_b, consumer_key_sealed,
        consumer_secret_sealed, passkey_sealed) VALUES (2, '600999', 'CustomerPayBillOnline', '600999', '', '', '')
    `.execute(database)
    const paid = (at: string, amountKes: number, more: object = {}) =>
      putPayment(database, { state: 'successful', at, amountKes, ...more })
    await paid('2026-11-24T20:59:00Z', 10)
    // A minute later, and so on the next day of Nairobi.
    await paid('2026-11-24T21:00:00Z', 100)
    await paid('2026-11-25T12:00:00Z', 1_000, { partnerId: 2n, accountId: 1n })
    await paid('2026-11-25T20:59:00Z', 10_000)
    await paid('2026-11-25T12:00:00Z', 7, { partnerId: -1n, accountId: -1n })
    await putPayment(database, { state: 'failed', at: '2026-11-25T12:00:00Z' })
    await sumAll(database)
  })
  afterAll(() => own.close())

  const totals = (request: object) => statementsOf(own.database).getTotals(request)

  it('is summed a day of Nairobi, partner and account, without test payments and what failed', async () => {
    const day = { from: '2026-11-24', to: '2026-11-25' }
    expect(await totals(day)).toMatchObject({
      totals: [
        { day: '2026-11-24', payments: 1n, amountKes: 10n },
        { day: '2026-11-25', payments: 3n, amountKes: 11_100n },
      ],
      payments: 4n,
      amountKes: 11_110n,
    })
    expect((await totals({ ...day, by: 'partner' })).totals).toMatchObject([
      { partnerId: 1n, partner: 'Duka', payments: 3n, amountKes: 10_110n },
      { partnerId: 2n, partner: 'Shule', payments: 1n, amountKes: 1_000n },
    ])
    expect((await totals({ ...day, by: 'account' })).totals).toMatchObject([
      { accountId: 0n, shortcode: SHORTCODE, payments: 3n },
      { accountId: 1n, shortcode: '600999', payments: 1n },
    ])
    expect(await totals({ from: '2026-11-26', to: '2026-11-26' })).toMatchObject({ totals: [], payments: 0n })
  })

  it('counts what an operator settled long after it was asked for, on the day on which that was done', async () => {
    const id = await putPayment(own.database, {
      state: 'unconfirmed',
      at: '2026-09-01T12:00:00Z',
      amountKes: 99,
    })
    const settled = { ...BY_HAND, paymentId: id, outcome: 'successful', receipt: 'TKP0000001' } as const
    expect((await settleByHand(own.database, settled)).kind).toBe('settled')
    await sumAll(own.database)
    const { rows } = await sql<{ day: string }>`
      SELECT to_char(now() AT TIME ZONE 'Africa/Nairobi', 'YYYY-MM-DD') AS day
    `.execute(own.database)
    const day = rows[0]?.day ?? ''
    expect(await totals({ from: day, to: day })).toMatchObject({ totals: [{ day, amountKes: 99n }] })
  })

  it('is read for a year and a day', async () => {
    expect(await totals({ from: '2025-11-25', to: '2026-11-25' })).toMatchObject({ payments: 4n })
  })

  it.each([
    [{ from: 'today', to: '2026-11-25' }, /^from must be a day of Nairobi, like/],
    [{ from: '2026-11-25', to: '2026-11-31' }, /^to must be a day of Nairobi/],
    [{ from: '2026-11-25', to: '2026-11-24' }, /^to must be the first day or a later one/],
    [{ from: '2025-11-24', to: '2026-11-25' }, /^to must be at most 366 days/],
    [{ from: '2026-11-25', to: '2026-11-25', by: 'year' }, /^by must be one of day, partner, account/],
  ])('%j is refused, and it is said why', async (request, problem) => {
    await expect(totals(request)).rejects.toThrow(problem)
  })
})
