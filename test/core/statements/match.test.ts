import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import { BY_HAND } from '../../support/actor.ts'
import { importFile, putPayment, statementOf, statementsOf } from './importing.ts'
import { AT, back, PAID_AT, paid, uniqueOf, useStatements } from './stage.ts'

describe('a statement held against the payments', () => {
  const own = useStatements()
  const { exceptions, found, settleWith } = own

  it('says nothing where both have the same', async () => {
    await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    const failed = await putPayment(own.database, { state: 'failed', at: AT, reference: 'ORD-7' })
    expect(failed).toBeGreaterThan(0n)
    const { statement } = await importFile(own.database, statementOf([paid('TKP0000001')]))
    expect(await found()).toEqual([])
    expect(statement).toMatchObject({ lines: 1, paidLines: 1, paidCents: 15_000n, shortcode: '600123' })
    const shown = await statementsOf(own.database).getStatement({ statementId: statement?.statementId ?? 0n })
    expect(shown).toMatchObject({ matchedLines: 1, exceptions: [] })
  })

  it.each(['failed', 'unconfirmed', 'submitted'] as const)(
    'names one that is %s here and paid there, by our reference, and ends once it is settled with that receipt',
    async (state) => {
      const id = await putPayment(own.database, { state, at: AT })
      await importFile(
        own.database,
        statementOf([paid('TKP0000001', { account: uniqueOf(id).toLowerCase() })]),
      )
      const [one] = await exceptions(true)
      expect(one).toMatchObject({
        kind: 'paid_there',
        paymentId: id,
        sentence: `Payment ${id} is ${state} here, but M-PESA has KES 150 for it under TKP0000001 at 2026-11-25T09:00:20Z.`,
        command: `gateway payments settle ${id} --outcome successful --receipt TKP0000001 --reason "on M-PESA's statement"`,
      })
      const { rows } = await sql<{ state: string }>`SELECT state FROM payments WHERE id = ${id}`.execute(
        own.database,
      )
      expect(rows).toEqual([{ state }])
      const settled = { ...BY_HAND, paymentId: id, outcome: 'successful', receipt: 'TKP0000001' } as const
      expect((await settleByHand(own.database, settled)).kind).toBe('settled')
      expect(await found(true)).toEqual([])
      expect(await exceptions()).toMatchObject([{ state: 'settled' }])
    },
  )

  it('names one whose payer was prompted a day after it was asked for, as it might be', async () => {
    const given = {
      state: 'unconfirmed',
      at: '2026-11-24T20:30:00Z',
      submitBy: '2026-11-25T20:30:00Z',
    } as const
    const id = await putPayment(own.database, given)
    await putPayment(own.database, { state: 'unconfirmed', at: given.at, reference: 'ORD-7' })
    const line = paid('TKP0000001', { account: uniqueOf(id), at: '2026-11-25T20:31:00Z' })
    const late = paid('TKP0000002', { account: 'ORD7', at: '2026-11-25T20:31:00Z' })
    await importFile(own.database, statementOf([line, late]))
    expect((await found()).toSorted()).toEqual([`paid_there ${id} TKP0000001`, 'unknown_here  TKP0000002'])
  })

  it('names one by what its partner calls it, if amount and time are its own and nobody else’s', async () => {
    const id = await putPayment(own.database, { state: 'failed', at: AT, reference: 'ORD-1042' })
    await putPayment(own.database, { state: 'failed', at: '2026-11-25T05:00:00Z', reference: 'ORD-1042' })
    await putPayment(own.database, { state: 'failed', at: AT, reference: 'ORD-1042', amountKes: 151 })
    await importFile(own.database, statementOf([paid('TKP0000001', { account: 'ORD1042' })]))
    expect(await found()).toEqual([`paid_there ${id} TKP0000001`])
  })

  it('never guesses between two', async () => {
    await putPayment(own.database, { state: 'failed', at: AT, reference: 'ORD-1042' })
    await putPayment(own.database, { state: 'unconfirmed', at: AT, reference: 'ORD1042' })
    await importFile(own.database, statementOf([paid('TKP0000001', { account: 'ORD1042' })]))
    expect(await found()).toEqual(['unknown_here  TKP0000001'])
  })

  it('never guesses between one that failed and one that is paid by a receipt that nobody told us', async () => {
    const one = { reference: 'INV1', amountKes: 500 }
    await putPayment(own.database, { ...one, state: 'failed', at: '2026-11-25T08:50:00Z' })
    await putPayment(own.database, { ...one, state: 'successful', at: AT })
    await importFile(own.database, statementOf([paid('TKP0000001', { account: 'INV1', paidIn: '500' })]))
    expect(await found()).toEqual(['unknown_here  TKP0000001'])
  })

  it('gives a line to the only payment that has its reference, paid by a receipt that nobody told us', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, reference: 'INV1' })
    const { statement } = await importFile(
      own.database,
      statementOf([paid('TKP0000001', { account: 'INV1' })]),
    )
    expect(await found()).toEqual([`receipt_there ${id} TKP0000001`])
    const shown = await statementsOf(own.database).getStatement({ statementId: statement?.statementId ?? 0n })
    expect(shown).toMatchObject({ matchedLines: 1 })
  })

  it.each([true, false])(
    'names the receipt of a payment that is paid by one which nobody told us, until it is filled in (by our reference: %s)',
    async (isOurs) => {
      const id = await putPayment(own.database, { state: 'successful', at: AT, reference: 'INV1' })
      const account = isOurs ? uniqueOf(id) : 'INV1'
      const again = paid('TKP0000002', { account: uniqueOf(id), at: '2026-11-25T09:00:25Z' })
      await importFile(
        own.database,
        statementOf([paid('TKP0000001', { account }), ...(isOurs ? [again] : [])]),
      )
      const open = await exceptions(true)
      expect(open.filter(({ kind }) => kind === 'receipt_there')).toMatchObject([
        {
          paymentId: id,
          receipt: 'TKP0000001',
          sentence: `Payment ${id} is paid here by a receipt that is not known, and M-PESA has KES 150 for it under TKP0000001 at ${PAID_AT}.`,
          command: `gateway payments settle ${id} --outcome successful --receipt TKP0000001 --reason "on M-PESA's statement"`,
        },
      ])
      expect(await settleWith(id, 'TKP0000001', false)).toMatchObject({ kind: 'settled' })
      expect(await found(true)).toEqual(isOurs ? [`paid_again ${id} TKP0000002`] : [])
    },
  )

  it('names another amount for a payment that is paid by a receipt which nobody told us, and no receipt', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT })
    await importFile(
      own.database,
      statementOf([paid('TKP0000001', { account: uniqueOf(id), paidIn: '151' })]),
    )
    expect(await found()).toEqual([`different_amount ${id} TKP0000001`])
  })

  it('says of a payment that is paid here since its statement how it is, and what fills its receipt in', async () => {
    const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    await importFile(own.database, statementOf([paid('TKP0000001', { account: uniqueOf(id) })]))
    await sql`UPDATE payments SET state = 'successful' WHERE id = ${id}`.execute(own.database)
    expect(await exceptions(true)).toMatchObject([
      {
        kind: 'paid_there',
        sentence: expect.stringContaining('is paid here by a receipt that is not known'),
      },
    ])
  })

  it('names what is there and not here, until its receipt is of a payment', async () => {
    await importFile(own.database, statementOf([paid('TKP0000001', { account: 'rent' })]))
    expect(await exceptions(true)).toMatchObject([
      {
        kind: 'unknown_here',
        paidCents: 15_000n,
        reference: 'rent',
        sentence: expect.stringMatching(
          /^M-PESA has KES 150 under TKP0000001 at .*, and no payment here has that receipt/,
        ),
      },
    ])
    await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    expect(await found(true)).toEqual([])
  })

  it('names what is here and not there, of its time and account only, until another statement has it', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    await putPayment(own.database, { state: 'successful', at: '2026-11-24T20:00:00Z', receipt: 'TKP0000002' })
    await putPayment(own.database, { state: 'successful', at: '2026-11-25T22:00:00Z', receipt: 'TKP0000003' })
    await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000004', accountId: 7n })
    await putPayment(own.database, {
      state: 'successful',
      at: AT,
      receipt: 'TKP0000005',
      partnerId: -1n,
      accountId: -1n,
    })
    await importFile(own.database, statementOf([]))
    expect(await found()).toEqual([`missing_there ${id} TKP0000001`])
    await importFile(own.database, statementOf([paid('TKP0000001')], null))
    expect(await found(true)).toEqual([])
  })

  it('takes nothing for missing that was paid after the statement was exported', async () => {
    await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    const day = { from: '2026-11-24T21:00:00Z', to: '2026-11-25T20:59:59Z' }
    await importFile(own.database, statementOf([paid('TKP0000009', { at: '2026-11-25T07:00:00Z' })], day))
    await importFile(own.database, statementOf([], { ...day, reported: '2026-11-25T08:00:00Z' }))
    expect(await found()).toEqual(['unknown_here  TKP0000009'])
  })

  it('names another amount, by receipt and by our reference', async () => {
    const first = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    const second = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const lines = [
      paid('TKP0000001', { paidIn: '1,500.50' }),
      paid('TKP0000002', { paidIn: '151', account: uniqueOf(second) }),
    ]
    await importFile(own.database, statementOf(lines))
    expect(await exceptions()).toMatchObject([
      {
        kind: 'different_amount',
        paymentId: first,
        sentence: expect.stringContaining(
          `Payment ${first} asked for KES 150, and M-PESA has KES 1,500.50 for it`,
        ),
      },
      { kind: 'different_amount', paymentId: second },
    ])
  })

  it('names a payment that was paid once more, and a receipt that stands twice', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    const lines = [
      paid('TKP0000001'),
      paid('TKP0000002', { account: uniqueOf(id) }),
      paid('TKP0000001', { paidIn: '9' }),
    ]
    await importFile(own.database, statementOf(lines))
    expect((await found()).toSorted()).toEqual([`paid_again ${id} TKP0000002`, `twice ${id} TKP0000001`])
  })

  it('takes an amount that Excel stored for the one that the portal wrote', async () => {
    await importFile(own.database, statementOf([paid('TKP0000001', { paidIn: '152.20' })]))
    await importFile(own.database, statementOf([paid('TKP0000001', { paidIn: '152.19999999999999' })]))
    expect(await found()).toEqual(['unknown_here  TKP0000001'])
  })

  it.each([true, false])(
    'says nothing of a line whose receipt came to its payment during the import, by a reference of its own: %s',
    async (isUnique) => {
      const given = { at: AT, reference: 'INV1' }
      await putPayment(own.database, { ...given, state: 'failed', at: '2026-11-25T08:50:00Z' })
      const id = await putPayment(own.database, { ...given, state: 'unconfirmed' })
      await settleOnceStored(id, 'TKP0000001')
      const account = isUnique ? uniqueOf(id) : 'INV1'
      await importFile(own.database, statementOf([paid('TKP0000001', { account })]))
      await sql`DROP FUNCTION settle_once_stored CASCADE`.execute(own.database)
      expect(await found()).toEqual([])
    },
  )

  /** As a callback that is committed after the line was stored, and before payments are looked at. */
  const settleOnceStored = async (id: bigint, receipt: string): Promise<void> => {
    await sql`
      CREATE FUNCTION settle_once_stored() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(`BEGIN
        UPDATE payments SET state = 'successful', receipt = '${receipt}', transaction_date = now() WHERE id = ${id};
        INSERT INTO receipts (receipt, payment_id) VALUES ('${receipt}', ${id});
        RETURN NULL;
      END`)}
    `.execute(own.database)
    await sql`
      CREATE TRIGGER settle_once_stored AFTER INSERT ON statement_lines EXECUTE FUNCTION settle_once_stored()
    `.execute(own.database)
  }

  it('names a payment whose receipt nobody told us when two lines paid it, in one statement or in two', async () => {
    const one = await putPayment(own.database, { state: 'successful', at: AT })
    const lines = [1, 2, 3].map((second) =>
      paid(`TKP000000${second}`, { account: uniqueOf(one), at: `2026-11-25T09:00:0${second}Z` }),
    )
    await importFile(own.database, statementOf(lines.slice(0, 1)))
    expect(await found()).toEqual([`receipt_there ${one} TKP0000001`])
    await importFile(own.database, statementOf(lines))
    expect((await found()).toSorted()).toEqual([
      `paid_again ${one} TKP0000002`,
      `paid_again ${one} TKP0000003`,
      `receipt_there ${one} TKP0000001`,
    ])
    await importFile(
      own.database,
      statementOf([back('TKP0000008', 'TKP0000001'), back('TKP0000009', 'TKP0000003')]),
    )
    expect(await found(true)).toEqual([`receipt_there ${one} TKP0000002`])
    expect(await settleWith(one, 'TKP0000002', false)).toMatchObject({ kind: 'settled' })
    expect(await found(true)).toEqual([])
  })

  it('names what is left of three lines that paid a payment whose receipt nobody told us when the first is given back', async () => {
    const one = await putPayment(own.database, { state: 'successful', at: AT })
    const lines = [1, 2, 3].map((second) =>
      paid(`TKP000000${second}`, { account: uniqueOf(one), at: `2026-11-25T09:00:0${second}Z` }),
    )
    await importFile(own.database, statementOf(lines))
    await importFile(own.database, statementOf([{ ...back('TKP0000008', 'TKP0000001'), withdrawn: '100' }]))
    expect((await found(true)).toSorted()).toEqual([
      `paid_again ${one} TKP0000002`,
      `paid_again ${one} TKP0000003`,
      `receipt_there ${one} TKP0000001`,
    ])
    await importFile(own.database, statementOf([{ ...back('TKP0000009', 'TKP0000001'), withdrawn: '50' }]))
    expect((await found(true)).toSorted()).toEqual([
      `paid_again ${one} TKP0000003`,
      `receipt_there ${one} TKP0000002`,
    ])
    expect((await exceptions(true)).find(({ kind }) => kind === 'paid_again')).toMatchObject({
      otherReceipt: 'TKP0000002',
    })
  })

  it('gives two lines to no payment by its partner’s reference, where one of them is the payment’s', async () => {
    await putPayment(own.database, { state: 'successful', at: AT, reference: 'INV1' })
    const lines = [paid('TKP0000001', { account: 'INV1' }), paid('TKP0000002', { account: 'INV1' })]
    await importFile(own.database, statementOf(lines))
    expect(await found()).toEqual(['unknown_here  TKP0000001', 'unknown_here  TKP0000002'])
  })
})
