import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { callbackUrlOf } from '../../support/callback-url.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { DELIVERY_FIELDS } from '../../support/guide.ts'
import { paymentRequest } from '../../support/requests.ts'

/** The payer's number that chooses an outcome of the simulator: docs/simulator.md. */
const payer = (number: string): string => `2547000000${number}`

describe('the life of a payment', () => {
  let test: TestCore
  let receiver: CallbackReceiver

  beforeAll(async () => {
    test = await startTestCore({
      config: { daraja: { timeoutMs: 1_000 }, submit: { ttlMs: 3_000 }, reconcile: { afterMs: 1_000 } },
    })
    receiver = await openCallbackReceiver(test)
  })
  afterAll(async () => {
    await receiver.close()
    await test.stop()
  })

  const request = async (msisdn: string): Promise<bigint> => {
    const answer = await test.clients.payments.requestPayment(paymentRequest({ msisdn }), {
      headers: test.headers,
    })
    return answer.paymentId
  }

  const findPayment = (id: bigint) =>
    test.database.selectFrom('payments').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

  const reach = (id: bigint, state: string) =>
    eventually(async () => {
      const payment = await findPayment(id)
      expect(payment.state).toBe(state)
      return payment
    })

  const bodiesFor = async (id: bigint): Promise<Record<string, unknown>[]> => {
    const query = test.database
      .selectFrom('deliveries')
      .select('body')
      .where('payment_id', '=', id)
      .orderBy('id')
    return (await query.execute()).map(({ body }) => JSON.parse(body))
  }

  const movesOf = async (id: bigint): Promise<string[]> => {
    const query = test.database
      .selectFrom('payment_history')
      .selectAll()
      .where('payment_id', '=', id)
      .orderBy('at')
    return (await query.execute()).map((row) => `${row.from_state}>${row.to_state} ${row.cause}`)
  }

  const promptsFor = async (id: bigint): Promise<number> => {
    const url = await callbackUrlOf(test, id)
    const answer = await fetch(`${test.simulator.url}/_ledger?callback_url=${encodeURIComponent(url)}`)
    const ledger = (await answer.json()) as { entries: unknown[] }
    return ledger.entries.length
  }

  it('that is paid: every step leaves its trace, and the delivery holds the guide’s ten fields', async () => {
    const id = await request('254712345678')
    const payment = await reach(id, 'successful')
    expect(await movesOf(id)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>submitted push_accepted',
      'submitted>successful callback',
    ])
    const [body] = await bodiesFor(id)
    expect(Object.keys(body ?? {})).toEqual(DELIVERY_FIELDS)
    expect(body).toMatchObject({
      transaction_id: Number(id),
      checkout_request_id: payment.checkout_request_id,
      result_code: 0,
      amount: 150,
      mpesa_receipt: payment.receipt,
      phone: '254712345678',
      status: 'successful',
    })
    expect(await promptsFor(id)).toBe(1)
  })

  it.each([
    ['01', '1'],
    ['02', '1032'],
    ['03', '1037'],
    ['04', '2001'],
  ])('that fails (payer %s): result code %s', async (number, code) => {
    const id = await request(payer(number))
    const payment = await reach(id, 'failed')
    expect(payment).toMatchObject({ result_code: code, receipt: null })
    const [body] = await bodiesFor(id)
    expect(body).toMatchObject({ status: 'failed', result_code: Number(code), mpesa_receipt: null })
  })

  it('that Daraja refuses: failed with its code, no ids, nobody prompted', async () => {
    const id = await request(payer('11'))
    await reach(id, 'failed')
    const [body] = await bodiesFor(id)
    expect(body).toMatchObject({
      result_code: '400.002.02',
      merchant_request_id: null,
      checkout_request_id: null,
    })
    expect(await promptsFor(id)).toBe(0)
  })

  it('whose payer has another prompt open until its deadline: failed, nobody prompted', async () => {
    const id = await request(payer('12'))
    const payment = await reach(id, 'failed')
    expect(payment.result_code).toBe('NOT_PROMPTED')
    expect(await movesOf(id)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>accepted push_to_be_repeated',
      'accepted>failed submit_deadline_passed',
    ])
    expect(await promptsFor(id)).toBe(0)
  })

  it.each([
    ['22', 'successful', '0'],
    ['23', 'failed', '1037'],
  ])(
    'that never calls back (payer %s): the query settles it, without a receipt',
    async (number, state, code) => {
      const id = await request(payer(number))
      const payment = await reach(id, state)
      expect(payment).toMatchObject({ result_code: code, receipt: null })
      expect((await movesOf(id)).at(-1)).toBe(`submitted>${state} query`)
    },
  )

  it('that calls back twice: one delivery', async () => {
    const id = await request(payer('24'))
    await reach(id, 'successful')
    await eventually(async () => {
      const callbacks = test.database.selectFrom('callbacks').select('id').where('payment_id', '=', id)
      expect(await callbacks.execute()).toHaveLength(2)
      expect(await test.database.selectFrom('to_interpret').selectAll().execute()).toEqual([])
    })
    expect(await bodiesFor(id)).toHaveLength(1)
  })

  it('that fails and then succeeds: two deliveries, each under its own webhook-id', async () => {
    const id = await request(payer('25'))
    await reach(id, 'successful')
    expect(await movesOf(id)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>submitted push_accepted',
      'submitted>failed callback',
      'failed>successful callback',
    ])
    expect((await bodiesFor(id)).map(({ status }) => status)).toEqual(['failed', 'successful'])
    const ids = await test.database
      .selectFrom('deliveries')
      .select('webhook_id')
      .where('payment_id', '=', id)
      .execute()
    expect(new Set(ids.map(({ webhook_id }) => webhook_id)).size).toBe(2)
  })

  it('whose callback comes before the reply: settled once, with its ids', async () => {
    const id = await request(payer('31'))
    await reach(id, 'successful')
    const payment = await eventually(async () => {
      const found = await findPayment(id)
      expect(
        await test.database.selectFrom('to_submit').selectAll().where('payment_id', '=', id).execute(),
      ).toEqual([])
      return found
    })
    expect(payment.checkout_request_id).toMatch(/^ws_CO_/)
    expect(await bodiesFor(id)).toHaveLength(1)
  })

  it.each([
    ['33', 'an error'],
    ['34', 'a cut connection'],
  ])(
    'whose prompt was followed by (payer %s) %s: unconfirmed, never sent again, settled by its callback',
    async (number) => {
      const id = await request(payer(number))
      await reach(id, 'successful')
      const moves = await movesOf(id)
      expect(moves).toContain('accepted>submitting taken_for_submission')
      expect(await promptsFor(id)).toBe(1)
    },
  )

  it('leaves no duty behind', async () => {
    await eventually(async () => {
      for (const duties of ['to_submit', 'to_query', 'to_interpret'] as const) {
        expect(await test.database.selectFrom(duties).selectAll().execute()).toEqual([])
      }
    })
  })
})
