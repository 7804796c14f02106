import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testIdOf } from '../../src/values/test-partner.ts'
import { attempted, end, hold } from '../core/deliveries/harness.ts'
import { ask, openFacade, partnerHeaders, request, type TestFacade } from '../facade/harness.ts'
import { addPartner, addTestKey } from '../support/partner.ts'
import { acceptUntouched } from '../support/payments.ts'
import { expectRefusal } from './expect-refusal.ts'

// What a partner does itself about its payments: cancel one, have outcomes sent again, see what it was sent.

const TRANSACTIONS = '/api/v1/mpesa/transactions'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade()
})
afterAll(() => test.stop())

const post = async (path: string, body?: unknown, headers = partnerHeaders(test)) => {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const answer = await ask(test, `POST ${TRANSACTIONS}${path}`, headers, text)
  expect(answer.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': expect.any(String),
  })
  return { status: answer.status, body: JSON.parse(answer.body) }
}

const get = async (path: string) =>
  JSON.parse((await ask(test, `GET ${TRANSACTIONS}${path}`, partnerHeaders(test))).body)

/** A payment with an outcome, and its delivery. */
const ended = async (partnerId = test.partnerId, headers = partnerHeaders(test)) => {
  const paymentId = await acceptUntouched(test.database, partnerId)
  expect((await post(`/${paymentId}/cancel`, undefined, headers)).status).toBe(202)
  const { id: deliveryId } = await test.database
    .selectFrom('deliveries')
    .select('id')
    .where('payment_id', '=', paymentId)
    .executeTakeFirstOrThrow()
  return { paymentId, deliveryId }
}

describe('a payment', () => {
  it('is cancelled while nobody was prompted, and answered the same as often as that is asked', async () => {
    const id = await acceptUntouched(test.database, test.partnerId)
    const first = await post(`/${id}/cancel`)
    expect(first).toMatchObject({
      status: 202,
      body: {
        status: 'success',
        transaction: {
          transaction_id: Number(id),
          status: 'failed',
          result_code: 'CANCELLED',
          result_desc: 'The payment was cancelled before its payer was prompted.',
          mpesa_receipt: null,
        },
      },
    })
    expect(await post(`/${id}/cancel`)).toEqual(first)
    expect((await get(`/${id}`)).transaction).toEqual(first.body.transaction)
  })

  it.each(['cancel', 'resend'])(
    'needs no body for its %s: one without a byte is none, whatever it is declared as',
    async (verb) => {
      const { paymentId } = await ended()
      const form = [`X-API-KEY: ${test.apiKey}`, 'Content-Type: application/x-www-form-urlencoded']
      const answer = await ask(test, `POST ${TRANSACTIONS}/${paymentId}/${verb}`, form, '')
      expect(answer.status).toBe(202)
    },
  )

  it.each([
    ['submitting', 'its payer is being prompted'],
    ['submitted', 'its payer has the prompt, and may decline it'],
    ['unconfirmed', 'its payer may have the prompt'],
    ['successful', 'it is paid'],
  ] as const)('that is %s is not, and that is said', async (state, why) => {
    const id = await acceptUntouched(test.database, test.partnerId)
    await test.database.updateTable('payments').set({ state }).where('id', '=', id).execute()
    expect(await post(`/${id}/cancel`)).toEqual({
      status: 422,
      body: { status: 'error', message: `the payment is ${state} and cannot be cancelled: ${why}` },
    })
  })

  it('has its outcome sent again, and shows each attempt and the answer to it', async () => {
    const { paymentId, deliveryId } = await ended()
    await attempted(test.database, deliveryId, {
      status: 500,
      errorClass: 'status',
      answer: 'no such order of 2547*****678',
    })
    await end(test.database, deliveryId, 'dead')
    expect((await get(`/${paymentId}/deliveries`)).deliveries).toMatchObject([
      {
        delivery: {
          webhook_id: `msg_${paymentId}_failed`,
          state: 'dead',
          attempt_count: 1,
          next_attempt_at: null,
        },
        attempts: [
          {
            number: 1,
            duration_ms: 12,
            http_status: 500,
            error_class: 'status',
            answer: expect.stringMatching(/\*/),
          },
        ],
      },
    ])
    const again = await post(`/${paymentId}/resend`)
    expect(again).toMatchObject({
      status: 202,
      body: { status: 'success', result: 'resent', delivery: { state: 'pending', held_because: null } },
    })
    expect(await post(`/${paymentId}/resend`)).toMatchObject({ status: 202, body: { result: 'waiting' } })
    await hold(test.database, deliveryId)
    expect(await post(`/${paymentId}/resend`)).toMatchObject({
      status: 202,
      body: { result: 'held', delivery: { state: 'held', next_attempt_at: null, held_because: 'ramping' } },
    })
  })

  it('without an outcome has none to be sent', async () => {
    const id = await acceptUntouched(test.database, test.partnerId)
    expect(await post(`/${id}/resend`)).toEqual({
      status: 422,
      body: {
        status: 'error',
        message: 'the payment is accepted: it has no outcome yet that could be sent again',
      },
    })
    expect(await get(`/${id}/deliveries`)).toEqual({ status: 'success', deliveries: [] })
  })

  it('that nobody has, and a stranger’s, are the same 404', async () => {
    const { paymentId } = await ended()
    const stranger = await addPartner(test.database, { name: 'Stranger' })
    const key = [`X-API-KEY: ${stranger.apiKey}`]
    for (const line of ['POST /cancel', 'POST /resend', 'GET /deliveries']) {
      const [method = '', verb = ''] = line.split(' ')
      for (const id of [paymentId, 999_999_999n])
        await expectRefusal(
          test,
          request(`${method} ${TRANSACTIONS}/${id}${verb}`, key),
          404,
          'no such transaction',
        )
    }
  })
})

it('a test payment is the test key’s to cancel and to have sent again, and its partner stands in the log', async () => {
  const headers = [`X-API-KEY: ${await addTestKey(test)}`]
  const id = await acceptUntouched(test.database, testIdOf(test.partnerId))
  await expectRefusal(
    test,
    request(`POST ${TRANSACTIONS}/${id}/cancel`, partnerHeaders(test)),
    404,
    'no such transaction',
  )
  expect((await post(`/${id}/cancel`, undefined, headers)).status).toBe(202)
  expect((await post(`/${id}/resend`, undefined, headers)).status).toBe(202)
  const moves = await test.database
    .selectFrom('payment_history')
    .select('operator')
    .where('payment_id', '=', id)
    .execute()
  expect(moves).toEqual([
    { operator: expect.stringMatching(new RegExp(`^partner ${test.partnerId} \\(mpg_test_`)) },
  ])
  const lines = await test.database
    .selectFrom('audit')
    .select(['partner_id', 'after'])
    .where('subject_kind', '=', 'payment')
    .where('subject_id', '=', String(id))
    .execute()
  expect(lines).toMatchObject([{ partner_id: test.partnerId, after: { test: true } }])
})

describe('what a partner missed', () => {
  const openPartner = async (missed: number) => {
    const { partnerId, apiKey } = await addPartner(test.database, { name: 'Misses' })
    const headers = [`X-API-KEY: ${apiKey}`, 'Content-Type: application/json']
    const ids: bigint[] = []
    for (let count = 0; count < missed; count += 1) {
      const { deliveryId } = await ended(partnerId, headers)
      await end(test.database, deliveryId, 'dead')
      ids.push(deliveryId)
    }
    return { headers, ids }
  }
  const HOUR_AGO = new Date(Date.now() - 3_600_000).toISOString()

  it('is counted first, and then sent again', async () => {
    const { headers, ids } = await openPartner(3)
    const since = { outcome_from: HOUR_AGO, delivery: 'dead', status: 'failed', reference: 'INV-2025-001' }
    const counted = await post('/resend', { ...since, dry_run: true }, headers)
    expect(counted).toEqual({
      status: 200,
      body: { status: 'success', found: 3, more: false, dry_run: true },
    })
    const lines = await test.database
      .selectFrom('audit')
      .select('id')
      .where('subject_id', 'in', ids.map(String))
      .where('subject_kind', '=', 'delivery')
      .execute()
    expect(lines).toEqual([])
    expect(await post('/resend', { ...since, per_second: 100 }, headers)).toEqual({
      status: 202,
      body: { status: 'success', found: 3, more: false, resent: 3, held: 0, waiting: 0, under_way: 0 },
    })
    expect(await post('/resend', {}, headers)).toMatchObject({ status: 202, body: { found: 3, waiting: 3 } })
    expect(await post('/resend', { created_to: HOUR_AGO }, headers)).toMatchObject({ body: { found: 0 } })
  })

  it.each([
    [{ per_second: 0 }, 'per_second must be a whole number from 1 to 100'],
    [{ per_second: '20' }, 'per_second must be a whole number from 1 to 100'],
    [{ per_second: 101 }, 'per_second must be a whole number from 1 to 100'],
    [{ dry_run: 'yes' }, 'dry_run must be true or false'],
    [{ delivery: 'delivered' }, 'delivery must be one of undelivered, pending, held, dead, cancelled'],
    [{ status: 'submitted' }, 'status must be one of successful, failed: others have no outcome'],
    [{ reference: 7 }, 'reference must be a string of 1 to 64 printable characters'],
    [{ reference: 'INV\u0000' }, 'reference must be a string of 1 to 64 printable characters'],
    [
      { outcome_from: '02:00' },
      'outcome_from must be an instant with its zone, like "2025-05-22T08:00:00Z" or "2025-05-22T11:00:00+03:00"',
    ],
    [
      { created_from: '2026-02-31T00:00:00Z' },
      'created_from must be an instant with its zone, like "2025-05-22T08:00:00Z" or "2025-05-22T11:00:00+03:00"',
    ],
    [
      { created_from: '2026-02-01T00:00:00Z', created_to: '2026-01-01T00:00:00Z' },
      'created_to must be after created_from',
    ],
    [
      { outcome_from: '2026-02-01T00:00:00Z', outcome_to: '2026-02-01T00:00:00Z' },
      'outcome_to must be after outcome_from',
    ],
    [
      { since: '2026-02-01T00:00:00Z' },
      'since is no field of this request: known are delivery, status, reference, created_from, created_to, outcome_from, outcome_to, per_second, dry_run',
    ],
  ])('is not sent for %j', async (body, message) => {
    const { headers, ids } = await openPartner(1)
    expect(await post('/resend', body, headers)).toEqual({ status: 400, body: { status: 'error', message } })
    const { state } = await test.database
      .selectFrom('deliveries')
      .select('state')
      .where('id', '=', ids[0] ?? 0n)
      .executeTakeFirstOrThrow()
    expect(state).toBe('dead')
  })
})
