import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { readBodies, readFindings, readMoves, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'

describe('a payment whose callback is spelled in a way of its own', () => {
  let test: TestCore
  let receiver: CallbackReceiver

  beforeAll(async () => {
    test = await startTestCore({ config: { reconcile: { afterMs: 500 } } })
    receiver = await openCallbackReceiver(test)
  })
  afterAll(async () => {
    await receiver.close()
    await test.stop()
  })

  it.each([
    ['with what is no item among the items', '254700000310', 'callback'],
    ['after a byte order mark', '254700000313', 'callback'],
    ['with "00"', '254700000311', 'query'],
    ['with two codes', '254700000312', 'query'],
    ['as a failure that is none yet', '254700000314', 'query'],
  ])('%s is paid once, and delivered once', async (_name, msisdn, cause) => {
    const request = paymentRequest({ msisdn })
    const { paymentId: id } = await test.clients.payments.requestPayment(request, { headers: test.headers })
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful' })
    })
    expect((await readMoves(test.database, id)).at(-1)).toBe(`submitted>successful ${cause}`)
    const receipt = cause === 'callback' ? expect.stringMatching(/^[A-Z0-9]{10}$/) : null
    expect(await readBodies(test.database, id)).toMatchObject([
      { status: 'successful', mpesa_receipt: receipt },
    ])
    expect(await readFindings(test.database, id)).toEqual([])
  })
})
