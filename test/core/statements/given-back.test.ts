import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { importFile, putPayment, statementOf } from './importing.ts'
import { AT, back, PAID_AT, paid, uniqueOf, useStatements } from './stage.ts'

describe('what a statement says was given back', () => {
  const own = useStatements()
  const { exceptions, found, settleWith } = own

  it.each([
    ['in one statement', 0],
    ['in the one before', 1],
    ['in the one after', 2],
  ])(
    'asks nobody to settle with what was given back, %s, and names it once somebody did',
    async (_, which) => {
      const id = await putPayment(own.database, { state: 'unconfirmed', at: AT })
      const [line, reversal] = [
        paid('TKP0000001', { account: uniqueOf(id) }),
        back('TKP0000008', 'TKP0000001'),
      ]
      const files = [[[line, reversal]], [[reversal], [line]], [[line], [reversal]]][which] ?? []
      for (const lines of files) await importFile(own.database, statementOf(lines))
      await importFile(own.database, statementOf([line, reversal, paid('TKP0000007', { status: 'Failed' })]))
      expect(await found(true)).toEqual([])
      expect(JSON.stringify((await exceptions()).map(({ command }) => command))).not.toContain('settle')
      expect(await settleWith(id, 'TKP0000001')).toMatchObject({ kind: 'settled' })
      expect(await exceptions(true)).toMatchObject([
        {
          kind: 'reversed',
          paymentId: id,
          sentence: expect.stringContaining('is paid here by TKP0000001, and M-PESA gave KES 150 of it back'),
        },
      ])
    },
  )

  it('keeps open what was given back in part, and asks nobody to settle with it', async () => {
    const id = await putPayment(own.database, { state: 'failed', at: AT })
    const lines = [paid('TKP0000001', { account: uniqueOf(id) }), back('TKP0000008', 'TKP0000001', '-50')]
    await importFile(own.database, statementOf(lines))
    const [one] = await exceptions(true)
    expect(one).toMatchObject({
      kind: 'paid_there',
      paymentId: id,
      sentence: 'M-PESA gave KES 50 back of what TKP0000001 paid, by TKP0000008.',
    })
    expect(one?.command).not.toContain('settle')
  })

  it.each(['in one statement', 'in two'])(
    'sums what was given back in parts, %s, each once, and is open again for whoever acknowledged the first',
    async (where) => {
      const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
      const parts = [back('TKP0000008', 'TKP0000001', '-50'), back('TKP0000009', 'TKP0000001', '-100')]
      if (where === 'in two') {
        await importFile(own.database, statementOf([paid('TKP0000001'), ...parts.slice(0, 1)]))
        await sql`UPDATE statement_exceptions SET acknowledged_at = now(), note = 'KES 100 is left'`.execute(
          own.database,
        )
      }
      await importFile(own.database, statementOf([paid('TKP0000001'), ...parts]))
      const repeated = [paid('TKP0000001'), ...parts.toReversed(), paid('TKP0000007', { status: 'Failed' })]
      await importFile(own.database, statementOf(repeated))
      expect(await exceptions(true)).toMatchObject([
        {
          kind: 'reversed',
          paymentId: id,
          paidCents: 15_000n,
          sentence: expect.stringContaining(
            'M-PESA gave KES 150 of it back by TKP0000008, TKP0000009 at 2026-11-25T09:00:20Z.',
          ),
        },
      ])
    },
  )

  it('takes for wholly given back what was in parts, and asks nobody to look at it', async () => {
    const lines = [
      paid('TKP0000001'),
      back('TKP0000008', 'TKP0000001', '-50'),
      back('TKP0000009', 'TKP0000001', '-100'),
    ]
    for (const count of [2, 3]) await importFile(own.database, statementOf(lines.slice(0, count)))
    expect(await found(true)).toEqual([])
  })

  it.each(['', 'N/A'])(
    'names what was given back by a line that names its receipt as %j, until a statement does',
    async (linked) => {
      const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
      const [one, unconfirmed] = [
        back('TKP0000008', linked),
        await putPayment(own.database, { state: 'unconfirmed', at: AT }),
      ]
      for (const lines of [[paid('TKP0000001'), one], [one]])
        await importFile(own.database, statementOf(lines))
      expect(await exceptions(true)).toMatchObject([
        {
          kind: 'given_back',
          receipt: 'TKP0000008',
          sentence: `M-PESA gave KES 150 back by TKP0000008 at ${PAID_AT}, and the statement does not say of which receipt.`,
        },
      ])
      expect(await settleWith(unconfirmed, 'TKP0000008', false)).toMatchObject({
        kind: 'gave_back',
        paidBy: null,
      })
      await importFile(own.database, statementOf([back('TKP0000008', 'TKP0000001')]))
      expect(await found(true)).toEqual([`reversed ${id} TKP0000001`])
    },
  )

  it('says no longer that a payment was paid once more when that was given back', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    const lines = [paid('TKP0000001'), paid('TKP0000002', { account: uniqueOf(id) })]
    await importFile(own.database, statementOf([...lines, back('TKP0000008', 'TKP0000002')]))
    expect(await found(true)).toEqual([])
  })

  it('names what was given back, and takes what it cost for nothing of the kind', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000001' })
    const lines = [
      paid('TKP0000001'),
      paid('TKP0000001', { paidIn: '', withdrawn: '-5.00', reason: 'Pay Bill Charge' }),
      paid('TKP0000008', {
        paidIn: '',
        withdrawn: '-150.00',
        reason: 'Payment Reversal',
        linked: 'TKP0000001',
      }),
      paid('TKP0000007', { status: 'Cancelled' }),
    ]
    const { statement } = await importFile(own.database, statementOf(lines))
    expect(await exceptions()).toMatchObject([
      { kind: 'reversed', paymentId: id, otherReceipt: 'TKP0000008' },
    ])
    expect(statement).toMatchObject({ lines: 4, paidLines: 1, paidCents: 15_000n, withdrawnCents: 15_500n })
  })
})
