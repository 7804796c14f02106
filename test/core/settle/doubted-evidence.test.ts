import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { callbackUrlOf } from '../../support/callback-url.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { readBodies, readDuties, readFindings, readMoves, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'

// The simulator's outcomes by phone number; docs/simulator.md lists them.
const NEVER_CALLS_BACK = '254700000022'
const NEVER_CALLS_BACK_TIMEOUT = '254700000023'
const TIMEOUT = '254700000003'

/** A success that tells of another amount, and of another push. */
const DOUBTED =
  '{"Body":{"stkCallback":{"CheckoutRequestID":"c","ResultCode":0,"ResultDesc":"Paid","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1},{"Name":"MpesaReceiptNumber","Value":"UE4A11B2C3"}]}}}}'

describe('a callback that says it was paid, and contradicts what was asked for', () => {
  let test: TestCore
  let receiver: CallbackReceiver

  beforeAll(async () => {
    // The query's own time is an hour away: what is asked for before was asked for because of the callback.
    test = await startTestCore({ config: { reconcile: { afterMs: 3_600_000 } } })
    receiver = await openCallbackReceiver(test)
  })
  afterAll(async () => {
    await receiver.close()
    await test.stop()
  })

  const reach = async (msisdn: string, state: string): Promise<bigint> => {
    const request = paymentRequest({ msisdn, amountKes: 249_000 })
    const { paymentId: id } = await test.clients.payments.requestPayment(request, { headers: test.headers })
    await eventually(async () => expect(await readPayment(test.database, id)).toMatchObject({ state }))
    return id
  }

  /** Lets the pause before the next query be over, when nobody is asking. */
  const passTime = (id: bigint, queries = 0): Promise<unknown> =>
    sql`
      UPDATE to_query SET queries = greatest(queries, ${queries}), due_at = now()
      WHERE payment_id = ${id} AND due_at > now() AND leased_until <= now()
    `.execute(test.database)

  const callBack = async (id: bigint): Promise<void> => {
    const url = await callbackUrlOf(test, id)
    expect((await fetch(url, { method: 'POST', body: DOUBTED })).status).toBe(200)
    await eventually(async () =>
      expect(await readFindings(test.database, id)).toEqual([
        'different_amount',
        'different_checkout_request_id',
      ]),
    )
  }

  it.each([
    ['paid: that is delivered, without the receipt', NEVER_CALLS_BACK, 'successful'],
    ['not paid: that is delivered', NEVER_CALLS_BACK_TIMEOUT, 'failed'],
  ])('settles nothing; Daraja is asked at once, and says: %s', async (_what, msisdn, state) => {
    const id = await reach(msisdn, 'submitted')
    await callBack(id)
    // The payer may still be thinking when Daraja is asked: then the next time is an hour away.
    await eventually(async () => {
      await passTime(id)
      expect(await readPayment(test.database, id)).toMatchObject({ state, receipt: null })
    })
    expect((await readMoves(test.database, id)).at(-1)).toBe(`submitted>${state} query`)
    expect(await readBodies(test.database, id)).toMatchObject([{ status: state, mpesa_receipt: null }])
    expect(await readDuties(test.database, id)).toEqual([])
  })

  it('after a failure: Daraja is asked once more, and what it confirms is over', async () => {
    const id = await reach(TIMEOUT, 'failed')
    await callBack(id)
    await eventually(async () => expect(await readDuties(test.database, id)).toEqual([]))
    expect(await readPayment(test.database, id)).toMatchObject({ state: 'failed', result_code: '1037' })
    expect(await readBodies(test.database, id)).toMatchObject([{ status: 'failed' }])
  })

  it('after a failure: Daraja is not asked for ever when it does not know', async () => {
    const id = await reach(TIMEOUT, 'failed')
    await test.database
      .updateTable('payments')
      .set({ checkout_request_id: 'ws_CO_unknown' })
      .where('id', '=', id)
      .execute()
    await callBack(id)
    // It has been asked for eight times.
    await eventually(async () => {
      await passTime(id, 8)
      expect(await readDuties(test.database, id)).toEqual([])
    })
    expect(await readBodies(test.database, id)).toMatchObject([{ status: 'failed' }])
  })
})
