import { afterEach, describe, expect, it } from 'vitest'
import { openCallbackReceiver } from '../../support/callback-receiver.ts'
import { callbackUrlOf } from '../../support/callback-url.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { createTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { readBodies, readFindings, readMoves, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'

/** Daraja takes the push, and this payer is never heard of by itself. */
const NEVER_ENDS = '254700000120'

const AMOUNT_KES = 150

/** A callback of today's form that tells of money. */
const paid = (pushed: { merchant: string | null; checkout: string | null }, receipt: string): string =>
  JSON.stringify({
    Body: {
      stkCallback: {
        MerchantRequestID: pushed.merchant,
        CheckoutRequestID: pushed.checkout,
        ResultCode: 0,
        ResultDesc: 'The service request is processed successfully.',
        CallbackMetadata: {
          Item: [
            { Name: 'Amount', Value: AMOUNT_KES },
            { Name: 'MpesaReceiptNumber', Value: receipt },
            { Name: 'TransactionDate', Value: 20_260_504_210_428 },
            { Name: 'PhoneNumber', Value: Number(NEVER_ENDS) },
          ],
        },
      },
    },
  })

type Pushed = { id: bigint; callbackUrl: string; merchant: string | null; checkout: string | null }

/** Asks a gateway for a payment, which is the first of its database, and waits until Daraja has taken the push. */
const pushFirst = async (gateway: TestCore): Promise<Pushed> => {
  const { paymentId: id } = await gateway.clients.payments.requestPayment(
    paymentRequest({ msisdn: NEVER_ENDS }),
    { headers: gateway.headers },
  )
  const payment = await eventually(async () => {
    const row = await readPayment(gateway.database, id)
    expect(row.state).toBe('submitted')
    return row
  })
  return {
    id,
    callbackUrl: await callbackUrlOf(gateway, id),
    merchant: payment.merchant_request_id,
    checkout: payment.checkout_request_id,
  }
}

describe('a database that was put back to an older copy, and gives an id again', () => {
  const closing: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  /** Payment A went out under id 1; the copy of before is restored, and payment B has id 1. */
  const restore = async (): Promise<{ gateway: TestCore; ofA: Pushed; ofB: Pushed; at: string }> => {
    const before = await createTestDatabase()
    const copy = await createTestDatabase(before)
    const first = await startTestCore({}, before)
    const ofA = await pushFirst(first)
    await first.stop()
    const gateway = await startTestCore({}, copy)
    closing.push(() => gateway.stop())
    const receiver = await openCallbackReceiver(gateway)
    closing.push(() => receiver.close())
    const ofB = await pushFirst(gateway)
    expect(ofB.id).toBe(ofA.id)
    expect(new URL(ofB.callbackUrl).pathname).toBe(new URL(ofA.callbackUrl).pathname)
    // Daraja calls back to where it was told to; the gateway behind that address is another process now.
    return { gateway, ofA, ofB, at: gateway.publicUrl }
  }

  const callBack = async (gateway: TestCore, at: string, url: string, body: string): Promise<void> => {
    const { pathname, search } = new URL(url)
    expect((await fetch(`${at}${pathname}${search}`, { method: 'POST', body })).status).toBe(200)
    await eventually(async () => {
      expect(await gateway.database.selectFrom('callbacks').select('id').execute()).not.toEqual([])
      expect(await gateway.database.selectFrom('to_interpret').selectAll().execute()).toEqual([])
    })
  }

  it('settles nothing of the new payment by the late callback of the old one, and settles it by its own', async () => {
    const { gateway, ofA, ofB, at } = await restore()
    await callBack(gateway, at, ofA.callbackUrl, paid(ofA, 'UE4AAAAAAA'))
    expect(await readPayment(gateway.database, ofB.id)).toMatchObject({ state: 'submitted', receipt: null })
    expect(await readBodies(gateway.database, ofB.id)).toEqual([])
    expect(await readFindings(gateway.database, ofB.id)).toEqual(['of_another_payment'])
    await callBack(gateway, at, ofB.callbackUrl, paid(ofB, 'UE4BBBBBBB'))
    expect(await readPayment(gateway.database, ofB.id)).toMatchObject({
      state: 'successful',
      receipt: 'UE4BBBBBBB',
    })
    expect(await readBodies(gateway.database, ofB.id)).toMatchObject([{ mpesa_receipt: 'UE4BBBBBBB' }])
    expect((await readMoves(gateway.database, ofB.id)).at(-1)).toBe('submitted>successful callback')
  })

  it('not even where the old callback says nothing that differs', async () => {
    const { gateway, ofA, ofB, at } = await restore()
    await callBack(gateway, at, ofA.callbackUrl, paid({ merchant: null, checkout: null }, 'UE4AAAAAAA'))
    await callBack(gateway, at, ofA.callbackUrl, paid(ofB, 'UE4AAAAAAA'))
    expect(await readPayment(gateway.database, ofB.id)).toMatchObject({ state: 'submitted', receipt: null })
    expect(await readBodies(gateway.database, ofB.id)).toEqual([])
  })
})
