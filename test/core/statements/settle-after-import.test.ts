import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import { BY_HAND } from '../../support/actor.ts'
import { readBodies } from '../../support/payments.ts'
import { importFile, putPayment, statementOf, statementsOf } from './importing.ts'
import { AT, PAID_AT, uniqueOf, useStatements } from './stage.ts'

describe('settling by hand a payment that a statement has', () => {
  const own = useStatements()

  const settle = (paymentId: bigint, receipt: string | null, anyway = false) =>
    settleByHand(own.database, {
      ...BY_HAND,
      paymentId,
      receipt,
      outcome: receipt === null ? 'failed' : 'successful',
      anyway,
    })

  const back = (withdrawn: string) => ({
    receipt: 'TKP0000008',
    at: PAID_AT,
    paidIn: '',
    withdrawn,
    reason: 'Payment Reversal',
    linked: 'TKP0000001',
  })

  it.each([
    ['as failed', null, '150'],
    ['as failed', null, '100'],
    ['with another receipt', 'TKP0000002', '150'],
  ])('refuses to settle it %s, unless it is settled anyway', async (_how, receipt, paidIn) => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const line = { receipt: 'TKP0000001', at: PAID_AT, account: uniqueOf(id), paidIn }
    const { statement } = await importFile(own.database, statementOf([line]))
    expect(await settle(id, receipt)).toEqual({
      kind: 'paid_there',
      statementId: statement?.statementId,
      receipt: 'TKP0000001',
      paidCents: BigInt(paidIn) * 100n,
      askedKes: 150,
    })
    expect(await settle(id, receipt, true)).toMatchObject({ kind: 'settled' })
  })

  it('refuses to fill in another receipt than that of the line that paid it', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT })
    const line = { receipt: 'TKP0000001', at: PAID_AT, account: uniqueOf(id) }
    await importFile(own.database, statementOf([line]))
    expect(await settle(id, 'TKP0000002')).toMatchObject({ kind: 'paid_there', receipt: 'TKP0000001' })
    expect(await settle(id, 'TKP0000001')).toMatchObject({ kind: 'settled' })
  })

  it('is in spite of what its operator knows, and of nothing else, and says of what', async () => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    await sql`INSERT INTO to_query (payment_id, due_at) VALUES (${id}, now())`.execute(own.database)
    const lines = [{ receipt: 'TKP0000001', at: PAID_AT, paidIn: '99' }, back('99')]
    await importFile(own.database, statementOf(lines))
    const settleDespite = (...anyway: string[]) =>
      settleByHand(own.database, {
        ...BY_HAND,
        paymentId: id,
        receipt: 'TKP0000001',
        outcome: 'successful',
        anyway,
      })
    expect(await settleDespite()).toMatchObject({ kind: 'reversed' })
    expect(await settleDespite('reversed')).toMatchObject({ kind: 'other_amount' })
    expect(await settleDespite('reversed', 'other_amount')).toMatchObject({ kind: 'may_settle_itself' })
    expect(await settleDespite('other_amount', 'may_settle_itself')).toMatchObject({ kind: 'reversed' })
    const doubts = [{ kind: 'reversed' }, { kind: 'other_amount' }, { kind: 'may_settle_itself' }]
    expect(await settleDespite('reversed', 'other_amount', 'may_settle_itself')).toMatchObject({
      kind: 'settled',
      doubts,
    })
  })

  it('says of one that is paid that it stays paid, and nothing of statements', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000002' })
    const line = { receipt: 'TKP0000001', at: PAID_AT, account: uniqueOf(id) }
    await importFile(own.database, statementOf([line, { ...line, receipt: 'TKP0000002' }]))
    for (const receipt of [null, 'TKP0000003'])
      expect(await settle(id, receipt)).toEqual({ kind: 'unchanged', state: 'successful' })
  })

  it.each([
    ['all of it', '-150', 'settled'],
    ['a part of it', '-50', 'paid_there'],
  ])('when M-PESA gave %s back (%s), settling it as failed is %s', async (_part, withdrawn, kind) => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const line = { receipt: 'TKP0000001', at: PAID_AT, account: uniqueOf(id) }
    await importFile(own.database, statementOf([line, back(withdrawn)]))
    expect(await settle(id, null)).toMatchObject({ kind })
  })

  it.each([
    ['all of the time in which it may have been paid', '2026-11-25T10:00:00Z', 0n, 'not_there'],
    ['a part of that', '2026-11-25T09:59:00Z', 0n, 'settled'],
    ['another account', '2026-11-25T10:00:00Z', 99n, 'settled'],
  ])(
    'where a statement is of %s, up to %s, settling it with a receipt that none has, through account %s, is %s',
    async (_of, to, accountId, kind) => {
      const id = await putPayment(own.database, { state: 'unconfirmed', at: AT, accountId })
      await importFile(own.database, statementOf([], { from: AT, to, reported: '2026-11-26T05:00:00Z' }))
      expect(await settle(id, 'TKP0000009')).toMatchObject({ kind })
    },
  )

  it('is in the audit log with all that it was made in spite of', async () => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    await sql`INSERT INTO to_query (payment_id, due_at) VALUES (${id}, now())`.execute(own.database)
    await importFile(own.database, statementOf([]))
    expect(await settle(id, 'TKP0000009', true)).toMatchObject({ kind: 'settled' })
    const { rows } =
      await sql`SELECT after FROM audit WHERE action = 'settled' ORDER BY id DESC LIMIT 1`.execute(
        own.database,
      )
    expect(rows).toMatchObject([{ after: { despite: ['not_there', 'may_settle_itself'] } }])
  })

  it('is held against the statement of when it was asked for, however late it was settled', async () => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: '2020-05-04T09:00:00Z' })
    expect(await settle(id, 'TKP0000009')).toMatchObject({ kind: 'settled' })
    const day = { from: '2020-05-03T21:00:00Z', to: '2020-05-04T20:59:59Z', reported: '2020-05-05T05:00:00Z' }
    await importFile(own.database, statementOf([], day))
    const { exceptions } = await statementsOf(own.database).listStatementExceptions({ openOnly: true })
    expect(exceptions).toMatchObject([{ kind: 'missing_there', paymentId: id, receipt: 'TKP0000009' }])
  })

  it('takes any of two lines that paid it for its receipt', async () => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const lines = ['TKP0000001', 'TKP0000002'].map((receipt) => ({
      receipt,
      at: PAID_AT,
      account: uniqueOf(id),
    }))
    await importFile(own.database, statementOf(lines))
    expect(await settle(id, 'TKP0000002')).toMatchObject({ kind: 'settled' })
  })

  it('says that it was paid once more, and to have that reversed, where it is paid by another receipt since', async () => {
    const id = await putPayment(own.database, { state: 'failed', at: AT })
    const line = { receipt: 'TKP0000001', at: PAID_AT, account: uniqueOf(id) }
    await importFile(own.database, statementOf([line]))
    expect(await settle(id, 'TKP0000002', true)).toMatchObject({ kind: 'settled' })
    const { exceptions } = await statementsOf(own.database).listStatementExceptions({ openOnly: true })
    expect(exceptions).toMatchObject([
      {
        kind: 'paid_there',
        sentence: `Payment ${id} is paid by TKP0000002, and was paid once more: KES 150 under TKP0000001 at ${PAID_AT}.`,
        command: expect.stringContaining('acknowledge'),
      },
    ])
  })

  it.each(['unconfirmed', 'successful'] as const)(
    'says of one that is %s that its money moved when the statement says, and tells its partner so',
    async (state) => {
      const id = await putPayment(own.database, { state, at: '2026-11-23T09:00:00Z' })
      await importFile(own.database, statementOf([{ receipt: 'TKP0000001', at: PAID_AT }]))
      expect(await settle(id, 'TKP0000001')).toMatchObject({
        kind: 'settled',
        payment: { receipt: 'TKP0000001', transaction_date: new Date(PAID_AT) },
      })
      const bodies = await readBodies(own.database, id)
      expect(bodies.map(({ transaction_date: at }) => at)).toEqual(state === 'unconfirmed' ? [PAID_AT] : [])
    },
  )
})
