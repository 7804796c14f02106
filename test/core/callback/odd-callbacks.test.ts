import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import {
  type DarajaRelay,
  type OwnAnswer,
  openDarajaRelay,
  PUSH_PATH,
  QUERY_PATH,
} from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { readBodies, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'

/** Pays, and is heard of by the query alone. */
const NEVER_CALLS_BACK = '254700000022'
/** Does not pay, and is heard of by the query alone. */
const NEVER_CALLS_BACK_TIMEOUT = '254700000023'

const stkCallback = (fields: string): string => `{"Body":{"stkCallback":{${fields}}}}`

describe('a callback that cannot be understood', () => {
  let test: TestCore
  let relay: DarajaRelay
  let receiver: CallbackReceiver
  let answer: () => Promise<OwnAnswer | undefined> = async () => undefined

  beforeAll(async () => {
    relay = await openDarajaRelay({
      target: () => test.simulator.url,
      answer: async ({ path }) => (path === QUERY_PATH ? answer() : undefined),
    })
    // The query's own time is an hour away: what is asked for before was asked for because of the callback.
    test = await startTestCore({
      config: { daraja: { baseUrl: relay.url }, reconcile: { afterMs: 3_600_000 } },
    })
    receiver = await openCallbackReceiver(test)
  })
  afterAll(async () => {
    await receiver.close()
    await test.stop()
    await relay.close()
  })

  /** A payment whose payer has answered the prompt, and where Daraja calls back for it. */
  const pushed = async (msisdn: string): Promise<{ id: bigint; callbackUrl: string }> => {
    const request = paymentRequest({ msisdn })
    const before = relay.callsTo(PUSH_PATH).length
    const { paymentId: id } = await test.clients.payments.requestPayment(request, { headers: test.headers })
    await eventually(async () =>
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'submitted' }),
    )
    const push = JSON.parse(relay.callsTo(PUSH_PATH)[before]?.body ?? '{}') as { CallBackURL: string }
    return { id, callbackUrl: push.CallBackURL }
  }

  const callBack = async (url: string, body: string): Promise<void> => {
    expect((await fetch(url, { method: 'POST', body })).status).toBe(200)
  }

  it.each([
    ['a code that is nearly 0', '"ResultCode":"00"', NEVER_CALLS_BACK, 'successful'],
    ['a code that is nearly 0, of what was not paid', '"ResultCode":-0', NEVER_CALLS_BACK_TIMEOUT, 'failed'],
    ['two codes', '"ResultCode":1032,"ResultCode":0', NEVER_CALLS_BACK_TIMEOUT, 'failed'],
    [
      'a word that it is still open',
      '"ResultCode":1037,"ResultDesc":"under processing"',
      NEVER_CALLS_BACK,
      'successful',
    ],
    ['no code', '"ResultDesc":"x"', NEVER_CALLS_BACK, 'successful'],
  ])('has what became of the payment asked for: %s', async (_name, fields, msisdn, state) => {
    const { id, callbackUrl } = await pushed(msisdn)
    const asked = relay.callsTo(QUERY_PATH).length
    await callBack(callbackUrl, stkCallback(fields))
    await eventually(async () => expect(relay.callsTo(QUERY_PATH).length).toBeGreaterThan(asked))
    // The payer may have been thinking when it was asked: another such callback has it asked again.
    await eventually(async () => {
      await callBack(callbackUrl, stkCallback(fields))
      expect(await readPayment(test.database, id)).toMatchObject({ state })
    })
    expect(await readBodies(test.database, id)).toMatchObject([{ status: state }])
  })
  it('has it asked for again when it comes while it is asked for, for the answer may be older', async () => {
    const { id, callbackUrl } = await pushed(NEVER_CALLS_BACK)
    const odd = stkCallback('"ResultCode":"00"')
    const interpreted = async (): Promise<void> => {
      const duties = await test.database.selectFrom('to_interpret').select('callback_id').execute()
      expect(duties).toEqual([])
    }
    let answers = 0
    answer = async () => {
      answers += 1
      if (answers > 1) return undefined
      await callBack(callbackUrl, odd)
      await eventually(interpreted)
      return { status: 200, json: { ResponseCode: '0', ResultCode: '4999' } }
    }
    await callBack(callbackUrl, odd)
    await eventually(() => expect(answers).toBeGreaterThanOrEqual(2))
    await eventually(async () => {
      await callBack(callbackUrl, odd)
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful' })
    })
  })
})
