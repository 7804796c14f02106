import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import { BY_HAND } from '../../support/actor.ts'
import { importFile, putPayment, statementOf } from './importing.ts'
import { AT, back, PAID_AT, paid, uniqueOf, useStatements } from './stage.ts'

describe('settling by hand with a receipt that a statement has', () => {
  const own = useStatements()
  const { exceptions, settleWith } = own

  it('refuses to settle with a receipt that a statement has with another amount, and stays open where that was done', async () => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT, amountKes: 5_000 })
    await importFile(own.database, statementOf([paid('TKP0000009', { paidIn: '50.00' })]))
    const settled = {
      ...BY_HAND,
      paymentId: id,
      outcome: 'successful',
      receipt: 'TKP0000009',
      anyway: false,
    } as const
    expect(await settleByHand(own.database, settled)).toEqual({
      kind: 'other_amount',
      paidCents: 5_000n,
      askedKes: 5_000,
    })
    expect(await settleWith(id, 'TKP0000009')).toMatchObject({ kind: 'settled' })
    expect(await exceptions(true)).toMatchObject([
      {
        kind: 'unknown_here',
        paymentId: id,
        sentence: `Payment ${id} asked for KES 5,000 and is paid here by TKP0000009, but M-PESA has KES 50 under it at 2026-11-25T09:00:20Z.`,
      },
    ])
  })

  it('refuses to settle with a receipt that was paid before the payment was asked for, but not for clocks that differ', async () => {
    const id = await putPayment(own.database, { state: 'failed', at: AT })
    const other = await putPayment(own.database, { state: 'failed', at: AT })
    const before = { account: '', at: '2026-11-25T08:54:59Z' }
    const { statement } = await importFile(
      own.database,
      statementOf([
        paid('TKP0000001', before),
        paid('TKP0000002', { account: '', at: '2026-11-25T08:55:00Z' }),
      ]),
    )
    expect(await settleWith(id, 'TKP0000001', false)).toEqual({
      kind: 'paid_before',
      statementId: statement?.statementId,
      paidAt: new Date(before.at),
      askedAt: new Date(AT),
    })
    expect(await settleWith(other, 'TKP0000002', false)).toMatchObject({ kind: 'settled' })
    expect(await settleWith(id, 'TKP0000001')).toMatchObject({ kind: 'settled' })
  })

  it('refuses to settle with a receipt that a statement has under the account number of another payment', async () => {
    const paidThere = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const meant = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const { statement } = await importFile(
      own.database,
      statementOf([paid('TKP0000001', { account: uniqueOf(paidThere) })]),
    )
    expect(await settleWith(meant, 'TKP0000001', false)).toEqual({
      kind: 'of_another',
      statementId: statement?.statementId,
      paymentId: paidThere,
    })
    expect(await settleWith(paidThere, 'TKP0000001', false)).toMatchObject({ kind: 'settled' })
    expect(await settleWith(meant, 'TKP0000001', false)).toMatchObject({
      kind: 'receipt_taken',
      paymentId: paidThere,
    })
  })

  it('refuses to fill in a receipt that a statement has under the account number of another payment', async () => {
    const paidThere = await putPayment(own.database, { state: 'successful', at: AT })
    const meant = await putPayment(own.database, { state: 'successful', at: AT })
    await importFile(own.database, statementOf([paid('TKP0000001', { account: uniqueOf(paidThere) })]))
    expect(await settleWith(meant, 'TKP0000001', false)).toMatchObject({
      kind: 'of_another',
      paymentId: paidThere,
    })
    expect(await settleWith(paidThere, 'TKP0000001', false)).toMatchObject({ kind: 'settled' })
  })

  it('refuses to settle a payment of a partner’s own account with a receipt that was paid to another', async () => {
    const { rows } = await sql<{ partner_id: bigint; id: bigint }>`
      WITH partner AS (INSERT INTO partners (name) VALUES ('Duka') RETURNING id)
      INSERT INTO partner_accounts (partner_id, shortcode, transaction_type, party_b, consumer_key_sealed,
        consumer_secret_sealed, passkey_sealed)
      SELECT id, '600777', 'CustomerBuyGoodsOnline', '500777', '', '', '' FROM partner RETURNING partner_id, id
    `.execute(own.database)
    const { partner_id: partnerId = 0n, id: accountId = 0n } = rows[0] ?? {}
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT, partnerId, accountId })
    const { statement } = await importFile(own.database, statementOf([paid('TKP0000001')]))
    expect(await settleWith(id, 'TKP0000001', false)).toEqual({
      kind: 'of_another_account',
      statementId: statement?.statementId,
      shortcode: '600123',
      asked: '500777',
    })
    const ofItsOwn = statementOf([paid('TKP0000002')]).replace('600123', '500777')
    await importFile(own.database, ofItsOwn)
    expect(await settleWith(id, 'TKP0000002', false)).toMatchObject({ kind: 'settled' })
  })

  it.each([
    ['all of', '-150.00', 15_000n],
    ['a part of', '-50', 5_000n],
  ])(
    'refuses to settle with a receipt of which a statement gave back %s what it paid',
    async (_, given, cents) => {
      const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
      const lines = [paid('TKP0000001', { account: uniqueOf(id) }), back('TKP0000008', 'TKP0000001', given)]
      const { statement } = await importFile(own.database, statementOf(lines))
      expect(await settleWith(id, 'TKP0000001', false)).toEqual({
        kind: 'reversed',
        statementId: statement?.statementId,
        by: 'TKP0000008',
        backCents: cents,
        at: new Date(PAID_AT),
      })
    },
  )

  it.each(['TKP0000008', 'TKP0000009'])(
    'refuses to settle with %s, the receipt of a line that gave something back',
    async (receipt) => {
      const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
      const parts = [back('TKP0000008', 'TKP0000001', '-50'), back('TKP0000009', 'TKP0000001', '-100')]
      const { statement } = await importFile(own.database, statementOf([paid('TKP0000001'), ...parts]))
      expect(await settleWith(id, receipt, false)).toEqual({
        kind: 'gave_back',
        statementId: statement?.statementId,
        paidBy: 'TKP0000001',
      })
    },
  )

  it('refuses it also where the reversal was acknowledged, and fills it in nowhere', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT })
    await importFile(own.database, statementOf([back('TKP0000008', 'TKP0000001'), paid('TKP0000002')]))
    await sql`UPDATE statement_exceptions SET acknowledged_at = now(), note = 'seen'`.execute(own.database)
    expect(await settleWith(id, 'TKP0000001', false)).toMatchObject({ kind: 'reversed' })
    expect(await settleWith(id, 'TKP0000002', false)).toMatchObject({ kind: 'settled' })
  })
})
