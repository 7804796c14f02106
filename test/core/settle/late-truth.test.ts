import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listOpenPayments } from '../../../src/core/payments/find.ts'
import type { Evidence } from '../../../src/core/settle/evidence.ts'
import { settle } from '../../../src/core/settle/settle.ts'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import type { Database } from '../../../src/database/connect.ts'
import { BY_HAND } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import {
  acceptPayment,
  readBodies,
  readDuties,
  readFindings,
  readMoves,
  readPayment,
} from '../../support/payments.ts'

describe('late truth', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  const settleWith = (paymentId: bigint, ...said: Partial<Evidence>[]) => {
    const paid: Evidence = { paymentId, receipt: receiptOf(paymentId), ...PAID }
    const evidence = said.map((one): Evidence => Object.assign({}, paid, one))
    return database.transaction().execute((transaction) => settle(transaction, evidence))
  }

  const receiptOf = (paymentId: bigint): string => `UE4${String(paymentId).padStart(7, '0')}`

  const PAID: Omit<Evidence, 'paymentId' | 'receipt'> = {
    outcome: 'successful',
    cause: 'callback',
    resultCode: '0',
    resultDesc: 'Paid',
    amountKes: 150,
    transactionDate: new Date('2026-05-04T18:04:28Z'),
    merchantRequestId: '2654-4b64',
    checkoutRequestId: 'ws_CO_1',
  }

  const FAILED: Partial<Evidence> = {
    outcome: 'failed',
    resultCode: '1037',
    resultDesc: 'No response',
    receipt: null,
    amountKes: null,
    transactionDate: null,
  }

  const statuses = async (id: bigint) => (await readBodies(database, id)).map(({ status }) => status)

  it('a success after a failure counts, and has a second delivery', async () => {
    const id = await acceptPayment(database)
    await settleWith(id, FAILED)
    await settleWith(id, {})
    expect(await readPayment(database, id)).toMatchObject({ state: 'successful', receipt: receiptOf(id) })
    expect(await statuses(id)).toEqual(['failed', 'successful'])
    expect(await readFindings(database, id)).toEqual([])
  })

  it('a failure after a success changes nothing, and is found once however often it comes', async () => {
    const id = await acceptPayment(database)
    await settleWith(id, {})
    const paid = await readPayment(database, id)
    const [first] = await settleWith(id, FAILED)
    const [second] = await settleWith(id, FAILED)
    expect(first?.findings).toMatchObject([{ kind: 'failure_after_success' }])
    expect(second?.findings).toEqual([])
    expect(await readPayment(database, id)).toEqual(paid)
    expect(await readFindings(database, id)).toEqual(['failure_after_success'])
    expect(await statuses(id)).toEqual(['successful'])
  })

  it('a second receipt is found, and the first stays', async () => {
    const id = await acceptPayment(database)
    const [, second] = await settleWith(id, {}, { receipt: 'UE4ZZZZZZZ' })
    expect(second?.findings).toMatchObject([
      { kind: 'different_receipt', detail: `callback: UE4ZZZZZZZ beside ${receiptOf(id)}` },
    ])
    expect(await readPayment(database, id)).toMatchObject({ receipt: receiptOf(id) })
    expect(await statuses(id)).toEqual(['successful'])
  })

  it('the same receipt again is no finding', async () => {
    const id = await acceptPayment(database)
    await settleWith(id, {}, {})
    expect(await readFindings(database, id)).toEqual([])
    expect(await statuses(id)).toEqual(['successful'])
  })

  it('another amount is found and settles nothing; what Daraja then says when it is asked does', async () => {
    const id = await acceptPayment(database)
    await settleWith(id, { amountKes: 151 })
    expect(await readPayment(database, id)).toMatchObject({ state: 'accepted', receipt: null })
    expect(await readFindings(database, id)).toEqual(['different_amount'])
    await settleWith(id, { cause: 'query', receipt: null, amountKes: null })
    await settleWith(id, { amountKes: 151 })
    expect(await readPayment(database, id)).toMatchObject({ state: 'successful', receipt: null })
    expect(await readFindings(database, id)).toEqual(['different_amount'])
    expect(await readBodies(database, id)).toMatchObject([{ status: 'successful', mpesa_receipt: null }])
  })

  it('another CheckoutRequestID is found and settles nothing, also in the same batch', async () => {
    const id = await acceptPayment(database)
    await settleWith(id, FAILED, { checkoutRequestId: 'ws_CO_2' })
    expect(await readFindings(database, id)).toEqual(['different_checkout_request_id'])
    expect(await readPayment(database, id)).toMatchObject({
      state: 'failed',
      checkout_request_id: 'ws_CO_1',
    })
    expect(await statuses(id)).toEqual(['failed'])
  })

  it('a late callback fills in the receipt and the ids that the query could not know', async () => {
    const id = await acceptPayment(database)
    const unknown = { receipt: null, amountKes: null, transactionDate: null }
    await settleWith(id, { ...unknown, cause: 'query', merchantRequestId: null, checkoutRequestId: null })
    await settleWith(id, {})
    expect(await readPayment(database, id)).toMatchObject({
      receipt: receiptOf(id),
      checkout_request_id: 'ws_CO_1',
      transaction_date: new Date('2026-05-04T18:04:28Z'),
    })
    expect(await statuses(id)).toEqual(['successful'])
  })

  describe('an operator’s word', () => {
    const WORD = { ...BY_HAND, anyway: false }

    const makeUnconfirmed = async (): Promise<bigint> => {
      const id = await acceptPayment(database)
      await database.updateTable('payments').set({ state: 'unconfirmed' }).where('id', '=', id).execute()
      await database.deleteFrom('to_submit').where('payment_id', '=', id).execute()
      await database.insertInto('to_confirm').values({ payment_id: id }).execute()
      return id
    }

    it('settles an unconfirmed payment, and keeps who and why', async () => {
      const id = await makeUnconfirmed()
      expect(
        await settleByHand(database, {
          ...WORD,
          receipt: receiptOf(id),
          paymentId: id,
          outcome: 'successful',
        }),
      ).toMatchObject({
        kind: 'settled',
      })
      expect(await readMoves(database, id)).toEqual(['unconfirmed>successful operator'])
      const history = database.selectFrom('payment_history').selectAll().where('payment_id', '=', id)
      expect(await history.execute()).toMatchObject([{ operator: 'amina', detail: WORD.reason }])
      expect(await readBodies(database, id)).toMatchObject([
        { status: 'successful', result_code: 0, mpesa_receipt: receiptOf(id) },
      ])
      expect(await readDuties(database, id)).toEqual([])
    })

    it('fails one too, and a later callback that says it was paid still counts', async () => {
      const id = await makeUnconfirmed()
      await settleByHand(database, { ...WORD, receipt: null, paymentId: id, outcome: 'failed' })
      expect(await readBodies(database, id)).toMatchObject([{ status: 'failed', result_code: 'NOT_PAID' }])
      await settleWith(id, {})
      expect(await statuses(id)).toEqual(['failed', 'successful'])
    })

    it.each([
      ['failed', 1, '2099-01-01T00:00:00Z', 'may_settle_itself'],
      ['failed', 0, '2099-01-01T00:00:00Z', 'settled'],
      ['failed', 1, 'infinity', 'settled'],
      ['successful', 1, '2099-01-01T00:00:00Z', 'settled'],
    ] as const)(
      'as %s, while M-PESA’s records were looked at %i times and are next at %s: %s',
      async (outcome, pulls, dueAt, kind) => {
        const id = await makeUnconfirmed()
        await sql`
          UPDATE to_confirm SET pulls = ${pulls}, due_at = ${dueAt}::timestamptz WHERE payment_id = ${id}
        `.execute(database)
        const receipt = outcome === 'failed' ? null : receiptOf(id)
        expect(await settleByHand(database, { ...WORD, receipt, paymentId: id, outcome })).toMatchObject({
          kind,
        })
      },
    )

    it('never undoes a success, and leaves no trace where it changes nothing', async () => {
      const id = await acceptPayment(database)
      await settleWith(id, {})
      for (const word of [
        { ...WORD, outcome: 'failed' as const, receipt: null },
        { ...WORD, outcome: 'successful' as const, receipt: 'UE4ZZZZZZZ' },
      ]) {
        expect(await settleByHand(database, { ...word, paymentId: id })).toEqual({
          kind: 'unchanged',
          state: 'successful',
        })
      }
      expect(await readFindings(database, id)).toEqual([])
      expect(
        await settleByHand(database, {
          ...WORD,
          receipt: 'UE4ZZZZZZZ',
          outcome: 'successful',
          paymentId: 999_999n,
        }),
      ).toEqual({
        kind: 'unchanged',
        state: null,
      })
    })

    it('with a receipt that proves another payment is refused, names that one, and leaves no trace', async () => {
      const [first, second] = [await acceptPayment(database), await makeUnconfirmed()]
      await settleWith(first, {})
      const word = { ...WORD, receipt: receiptOf(first), paymentId: second, outcome: 'successful' as const }
      expect(await settleByHand(database, word)).toEqual({ kind: 'receipt_taken', paymentId: first })
      expect(await readPayment(database, second)).toMatchObject({ state: 'unconfirmed', receipt: null })
      expect(await readFindings(database, second)).toEqual([])
      expect(await settleByHand(database, { ...word, receipt: receiptOf(second) })).toMatchObject({
        kind: 'settled',
      })
    })

    it('with a receipt that was reported for another payment, which is paid by one, is refused unless that is set aside', async () => {
      const reported = await acceptPayment(database)
      await settleWith(reported, {}, { receipt: 'UE4ZZZZZZY' })
      const id = await acceptPayment(database)
      await settleWith(id, { outcome: 'failed', receipt: null })
      const request = {
        ...BY_HAND,
        paymentId: id,
        outcome: 'successful',
        receipt: 'UE4ZZZZZZY',
        anyway: false,
      } as const
      expect(await settleByHand(database, request)).toEqual({
        kind: 'reported_for_another',
        paymentId: reported,
        paidBy: receiptOf(reported),
      })
      expect(await readPayment(database, id)).toMatchObject({ state: 'failed', receipt: null })
      expect(await settleByHand(database, { ...request, receipt: 'UE4ZZZZZZ' })).toMatchObject({
        kind: 'settled',
      })
      const other = await acceptPayment(database)
      await settleWith(other, { outcome: 'failed', receipt: null })
      expect(
        await settleByHand(database, { ...request, paymentId: other, anyway: ['reported_for_another'] }),
      ).toMatchObject({ kind: 'settled', doubts: [{ kind: 'reported_for_another' }] })
    })

    it('proves a test payment by no receipt of M-PESA’s, and no other by one of a test payment’s', async () => {
      const [real, test] = [await makeUnconfirmed(), await makeUnconfirmed()]
      const testing = { partner_id: -1n, account_id: -1n }
      await database.updateTable('payments').set(testing).where('id', '=', test).execute()
      const word = { ...BY_HAND, outcome: 'successful' as const }
      for (const [paymentId, receipt, isTest] of [
        [test, receiptOf(real), true],
        [real, 'XTEST0000H', false],
      ] as const)
        expect(await settleByHand(database, { ...word, paymentId, receipt })).toEqual({
          kind: 'receipt_of_other_kind',
          isTest,
        })
      for (const [paymentId, receipt] of [
        [test, 'XTEST0000H'],
        [real, receiptOf(real)],
      ] as const)
        expect(await settleByHand(database, { ...word, paymentId, receipt })).toMatchObject({
          kind: 'settled',
        })
    })

    it('is asked for where payments are listed as open for too long', async () => {
      const id = await makeUnconfirmed()
      const openFor = async (ageMs: number) =>
        (await listOpenPayments({ owner: 'anybody', database, ageMs, after: 0n, limit: 1000 })).map(
          (row) => row.id,
        )
      expect(await openFor(0)).toContain(id)
      expect(await openFor(600_000)).not.toContain(id)
      await settleWith(id, {})
      expect(await openFor(0)).not.toContain(id)
    })
  })
})
