import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import type { PaymentStateName } from '../../../src/database/schema/payments.ts'
import { BY_HAND } from '../../support/actor.ts'
import { importFile, putPayment, statementOf } from './importing.ts'
import { AT, PAID_AT, uniqueOf, useStatements } from './stage.ts'

const RECEIPT = 'TKP0000001'

describe('whose a line of a statement is', () => {
  const own = useStatements()

  const exceptions = (openOnly = true) => own.exceptions(openOnly)

  const found = (): Promise<string[]> => own.found(true)

  const importLine = (account: string, more: readonly Parameters<typeof statementOf>[0][number][] = []) =>
    importFile(own.database, statementOf([{ receipt: RECEIPT, at: PAID_AT, account }, ...more]))

  const settle = (paymentId: bigint) =>
    settleByHand(own.database, { ...BY_HAND, paymentId, outcome: 'successful', receipt: RECEIPT })

  it.each([
    ['failed', null],
    ['unconfirmed', null],
    ['successful', null],
    ['successful', 'TKP0000002'],
  ] as const)(
    'names a payment, %s here by receipt %s, whose receipt another one was settled with before the import',
    async (state: PaymentStateName, receipt) => {
      const wrong = await putPayment(own.database, { state: 'unconfirmed', at: AT })
      const meant = await putPayment(own.database, { state, at: AT, ...(receipt !== null && { receipt }) })
      expect(await settle(wrong)).toMatchObject({ kind: 'settled' })
      await importLine(
        uniqueOf(meant).toLowerCase(),
        receipt === null ? [] : [{ receipt, at: PAID_AT, account: uniqueOf(meant) }],
      )
      expect(await exceptions()).toMatchObject([
        {
          kind: 'taken_here',
          paymentId: meant,
          receipt: RECEIPT,
          sentence: `Payment ${meant} is ${state} here, but M-PESA has KES 150 for it under TKP0000001 at ${PAID_AT}, by which payment ${wrong} is paid here.`,
        },
      ])
      expect((await exceptions())[0]?.command).not.toContain('settle')
      await importLine('', [
        {
          receipt: 'TKP0000008',
          at: PAID_AT,
          paidIn: '',
          withdrawn: '150',
          reason: 'Reversal',
          linked: RECEIPT,
        },
      ])
      expect(await found()).toEqual([`reversed ${wrong} TKP0000001`])
    },
  )

  it('keeps a line open that was paid before the payment was asked for which was settled with its receipt', async () => {
    const wrong = await putPayment(own.database, { state: 'failed', at: AT })
    expect(await settle(wrong)).toMatchObject({ kind: 'settled' })
    const before = '2026-11-25T08:54:59Z'
    await importFile(own.database, statementOf([{ receipt: RECEIPT, at: before, account: '' }]))
    expect(await exceptions()).toMatchObject([
      {
        kind: 'unknown_here',
        paymentId: wrong,
        receipt: RECEIPT,
        sentence: `Payment ${wrong} is paid here by ${RECEIPT}, but M-PESA has KES 150 under it at ${before}, before it was asked for.`,
      },
    ])
    expect((await exceptions())[0]?.command).toContain('acknowledge')
  })

  it('takes a line for that of the payment whose callback says the same time, however the clocks differ', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: RECEIPT })
    await sql`UPDATE payments SET created_at = created_at + interval '10 minutes' WHERE id = ${id}`.execute(
      own.database,
    )
    await importLine('')
    expect(await exceptions(false)).toEqual([])
  })

  it('says nothing where the receipt is that of the payment whose account number the line has', async () => {
    const id = await putPayment(own.database, { state: 'successful', at: AT, receipt: RECEIPT })
    await importLine(uniqueOf(id))
    expect(await exceptions(false)).toEqual([])
  })

  it('does not take what partners call their payments, nor what only looks like one of ours, for whose it is', async () => {
    await putPayment(own.database, { state: 'failed', at: AT, reference: 'INV1' })
    const named = await putPayment(own.database, { state: 'failed', at: AT })
    await putPayment(own.database, { state: 'successful', at: AT, receipt: RECEIPT })
    await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000002' })
    const wrongCheck = `${uniqueOf(named).slice(0, -1)}${uniqueOf(named).endsWith('0') ? '1' : '0'}`
    await importLine('INV1', [{ receipt: 'TKP0000002', at: PAID_AT, account: wrongCheck }])
    expect(await exceptions(false)).toEqual([])
  })

  it('does not take what was paid for a payment for another one’s whose reference its partner calls it by', async () => {
    const named = await putPayment(own.database, { state: 'failed', at: AT })
    const [asked, byHand] = [
      await putPayment(own.database, { state: 'successful', at: AT, receipt: 'TKP0000002' }),
      await putPayment(own.database, { state: 'unconfirmed', at: AT }),
    ]
    await sql`UPDATE payments SET reference = ${uniqueOf(named)} WHERE id IN (${asked}, ${byHand})`.execute(
      own.database,
    )
    expect(await settle(byHand)).toMatchObject({ kind: 'settled' })
    await importLine(uniqueOf(named), [{ receipt: 'TKP0000002', at: PAID_AT, account: uniqueOf(named) }])
    expect(await found()).toEqual([`taken_here ${named} TKP0000001`])
  })

  it('asks nobody to settle with a receipt that another payment was settled with anyway', async () => {
    const wrong = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    const meant = await putPayment(own.database, { state: 'failed', at: AT })
    await importLine(uniqueOf(meant))
    expect(await settle(wrong)).toMatchObject({ kind: 'settled' })
    expect(await exceptions()).toMatchObject([
      {
        kind: 'paid_there',
        paymentId: meant,
        sentence: expect.stringContaining(`by which payment ${wrong} is paid here.`),
        command: expect.stringContaining('acknowledge'),
      },
    ])
  })

  it('names the payment also where another one is settled with its receipt during the import', async () => {
    const meant = await putPayment(own.database, { state: 'failed', at: AT })
    const wrong = await putPayment(own.database, { state: 'unconfirmed', at: AT })
    await sql`
      CREATE FUNCTION settle_once_stored() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(`BEGIN
        UPDATE payments SET state = 'successful', receipt = '${RECEIPT}', transaction_date = now() WHERE id = ${wrong};
        INSERT INTO receipts (receipt, payment_id) VALUES ('${RECEIPT}', ${wrong});
        RETURN NULL;
      END`)}
    `.execute(own.database)
    await sql`
      CREATE TRIGGER settle_once_stored AFTER INSERT ON statement_lines EXECUTE FUNCTION settle_once_stored()
    `.execute(own.database)
    await importLine(uniqueOf(meant))
    await sql`DROP FUNCTION settle_once_stored CASCADE`.execute(own.database)
    expect(await found()).toEqual([`taken_here ${meant} TKP0000001`])
  })

  it.each([
    ['failed', 'before'],
    ['failed', 'after'],
    ['successful', 'before'],
    ['successful', 'after'],
  ] as const)(
    'is not changed by a partner that calls its payment by the reference of another, %s, that was asked for %s it',
    async (state, when) => {
      const copied = when === 'before' ? await putPayment(own.database, { state: 'failed', at: AT }) : null
      const meant = await putPayment(own.database, { state, at: AT })
      const copy = copied ?? (await putPayment(own.database, { state: 'failed', at: AT }))
      await sql`UPDATE payments SET reference = ${uniqueOf(meant)} WHERE id = ${copy}`.execute(own.database)
      await importLine(uniqueOf(meant))
      const kind = state === 'failed' ? 'paid_there' : 'receipt_there'
      expect(await found()).toEqual([`${kind} ${meant} TKP0000001`])
    },
  )

  describe('of a partner with an account of its own', () => {
    const newAccount = async (): Promise<{ partnerId: bigint; accountId: bigint }> => {
      const { rows } = await sql<{ partner_id: bigint; id: bigint }>`
        WITH partner AS (INSERT INTO partners (name) VALUES (gen_random_uuid()) RETURNING id)
        INSERT INTO partner_accounts (partner_id, shortcode, transaction_type, party_b, consumer_key_sealed,
          consumer_secret_sealed, passkey_sealed)
        SELECT id, '600777', 'CustomerBuyGoodsOnline', '500777', '', '', '' FROM partner RETURNING partner_id, id
      `.execute(own.database)
      return { partnerId: rows[0]?.partner_id ?? 0n, accountId: rows[0]?.id ?? 0n }
    }

    it.each(['before', 'after'])(
      'stays open where its payment is settled, %s the import, with a receipt that was paid to another',
      async (when) => {
        const id = await putPayment(own.database, { state: 'unconfirmed', at: AT, ...(await newAccount()) })
        if (when === 'before') expect(await settle(id)).toMatchObject({ kind: 'settled' })
        await importLine('rent')
        if (when === 'after') expect(await settle(id)).toMatchObject({ kind: 'settled' })
        expect(await exceptions()).toMatchObject([
          {
            kind: 'unknown_here',
            paymentId: id,
            sentence: `Payment ${id} is paid here by TKP0000001, but M-PESA has KES 150 under it at ${PAID_AT} as paid to another paybill or till than it asked for.`,
          },
        ])
      },
    )

    it('is one of those that paid a payment whose receipt nobody told us, also where till and head office have it', async () => {
      const id = await putPayment(own.database, { state: 'successful', at: AT, ...(await newAccount()) })
      const lines = [1, 2, 3].map((number) => ({
        receipt: `TKP000000${number}`,
        at: PAID_AT,
        account: uniqueOf(id),
      }))
      const back = { at: PAID_AT, paidIn: '', withdrawn: '150', reason: 'Reversal', linked: RECEIPT }
      for (const shortcode of ['600777', '500777'])
        await importFile(own.database, statementOf(lines).replace('600123', shortcode))
      const reversal = statementOf([{ ...back, receipt: 'TKP0000008' }])
      await importFile(own.database, reversal.replace('600123', '600777'))
      expect((await found()).toSorted()).toEqual([
        `paid_again ${id} TKP0000003`,
        `receipt_there ${id} TKP0000002`,
      ])
    })

    it.each(['600777', '500777'])(
      'fits where it was paid to its till or head office: %s',
      async (shortcode) => {
        const account = await newAccount()
        await putPayment(own.database, { state: 'successful', at: AT, receipt: RECEIPT, ...account })
        const file = statementOf([{ receipt: RECEIPT, at: PAID_AT, account: 'rent' }])
        await importFile(own.database, file.replace('600123', shortcode))
        expect(await exceptions(false)).toEqual([])
      },
    )
  })
})
