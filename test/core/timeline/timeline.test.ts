import { afterAll, beforeAll, expect, it } from 'vitest'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { callbackTokenOf } from '../../support/callback-url.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type Harness, startHarness } from '../../support/dispatcher.ts'
import { eventually } from '../../support/eventually.ts'
import { operatorPayments } from '../../support/operator-payments.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { answerWith } from '../../support/receiver.ts'
import { paymentRequest } from '../../support/requests.ts'

const MARKUP = '<script>alert("254712345678")</script>'

let test: TestCore
let harness: Harness
let daraja: CallbackReceiver

beforeAll(async () => {
  const database = await createTestDatabase()
  harness = await startHarness(database.url)
  test = await startTestCore({ database: harness.database }, database)
  daraja = await openCallbackReceiver(test)
  const queue = harness.openQueue()
  harness.publish(queue)
  harness.dispatch({ queue })
})
afterAll(async () => {
  await harness.stop()
  await daraja.close()
  await test.stop()
})

/** Paid, told to an endpoint that fails first, said to have failed by a second callback, and looked at. */
const makeEventful = async (): Promise<bigint> => {
  // By its number, for the second attempt comes soon after the first.
  harness.receiver.behave((received, response) => {
    const isFirst = received.headers['webhook-attempt'] === '1'
    const answer = isFirst ? answerWith(500, MARKUP) : answerWith(200, 'thanks')
    answer(received, response)
  })
  const { paymentId } = await test.clients.payments.requestPayment(
    paymentRequest({ callbackUrl: `${harness.receiver.url}/paid?order=1`, reference: '0712345678' }),
    { headers: test.headers },
  )
  await eventually(async () => expect(await stateOfDelivery(paymentId)).toBe('delivered'))
  const { token, tail } = await callbackTokenOf(test, paymentId)
  const { checkout_request_id: checkoutId, merchant_request_id: merchantId } = await test.database
    .selectFrom('payments')
    .select(['checkout_request_id', 'merchant_request_id'])
    .where('id', '=', paymentId)
    .executeTakeFirstOrThrow()
  const stkCallback = {
    MerchantRequestID: merchantId,
    CheckoutRequestID: checkoutId,
    ResultCode: 1032,
    ResultDesc: 'Request cancelled by user.',
  }
  await test.clients.darajaCallbacks.receiveStkCallback({
    token,
    nonce: new URLSearchParams(tail.split('?')[1]).get('nonce') ?? '',
    body: Buffer.from(JSON.stringify({ Body: { stkCallback } })),
    headers: [],
    sourceAddress: '196.201.214.200',
  })
  await eventually(async () => expect(await findingsOf(paymentId)).toHaveLength(1))
  await operatorPayments(test.database).revealMsisdn({ paymentId })
  return paymentId
}

const stateOfDelivery = async (paymentId: bigint): Promise<string | undefined> =>
  (
    await test.database
      .selectFrom('deliveries')
      .select('state')
      .where('payment_id', '=', paymentId)
      .executeTakeFirst()
  )?.state

const findingsOf = (paymentId: bigint) =>
  test.database.selectFrom('payment_findings').select('kind').where('payment_id', '=', paymentId).execute()

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? String(one) : one))

it('tells all that came of a payment, by every party, in order, and no whole number', async () => {
  const paymentId = await makeEventful()
  const { payment, entries } = await operatorPayments(test.database).getPaymentTimeline({ paymentId })
  expect(payment).toMatchObject({ paymentId, msisdn: '2547*****678', reference: '0712*****678' })
  const host = new URL(harness.receiver.url).host
  expect(entries.map(({ party, kind, sentence }) => [party, kind, sentence])).toEqual([
    ['partner', 'requested', expect.stringMatching(/ asked 2547\*{5}678 for 150 KES/)],
    ['gateway', 'moved', 'The push to Daraja began.'],
    ['daraja', 'moved', 'Daraja took the push: the payer has the prompt.'],
    ['daraja', 'callback', expect.stringMatching(/^Daraja called back: paid, receipt [A-Z0-9]{10}\.$/)],
    ['daraja', 'moved', 'By Daraja’s callback it is successful.'],
    ['gateway', 'delivery', `The outcome is to be delivered to ${host}.`],
    ['partner', 'attempt', `Attempt 1: ${host} answered 500.`],
    ['partner', 'attempt', `Attempt 2: ${host} answered 200.`],
    ['daraja', 'callback', 'Daraja called back: not paid, 1032 Request cancelled by user.'],
    ['gateway', 'finding', expect.stringContaining('failure after success')],
    ['operator', 'by_hand', `amina looked at the whole number of payment ${paymentId}.`],
  ])
  const times = entries.map(({ at }) => Number(at?.seconds ?? 0n) * 1e9 + (at?.nanos ?? 0))
  expect(times).toEqual(times.toSorted((one, other) => one - other))
  // As they came, masked: the callback's bytes and the endpoint's answer.
  expect(entries[3]?.evidence).toContain('"ResultCode":0')
  expect(entries[6]?.evidence).toMatch(/^<script>alert\("\*+"\)<\/script>$/)
  expect(textOf([payment, entries])).not.toContain('712345678')
})

it('says what is to come', async () => {
  const paymentId = await acceptUntouched(test.database, test.partnerId)
  const { entries } = await operatorPayments(test.database).getPaymentTimeline({ paymentId })
  expect(entries.at(-1)).toMatchObject({
    kind: 'push',
    ahead: true,
    sentence: 'Its payer is to be prompted.',
  })
})

it('shows a whole number to whoever asks for it, and keeps who looked', async () => {
  const paymentId = await acceptUntouched(test.database, test.partnerId)
  const payments = operatorPayments(test.database)
  expect(await payments.revealMsisdn({ paymentId })).toMatchObject({ msisdn: '254712345678' })
  const lines = await test.database
    .selectFrom('audit')
    .selectAll()
    .where('subject_kind', '=', 'payment')
    .where('subject_id', '=', String(paymentId))
    .execute()
  expect(lines).toMatchObject([{ action: 'revealed', actor_name: 'amina', partner_id: test.partnerId }])
  expect(textOf(lines)).not.toContain('712345678')
  await expect(payments.revealMsisdn({ paymentId: 999_999n })).rejects.toThrow('there is no payment 999999')
  const others = operatorPayments(test.database, { partnerId: 999n })
  await expect(others.revealMsisdn({ paymentId })).rejects.toThrow('there is no payment')
  await expect(others.getPaymentTimeline({ paymentId })).rejects.toThrow('there is no payment')
})

it('tells who filled in the receipt of a payment that was paid, and why', async () => {
  const paymentId = await acceptUntouched(test.database, test.partnerId)
  const paid = { state: 'successful' as const, transaction_date: new Date() }
  await test.database.updateTable('payments').set(paid).where('id', '=', paymentId).execute()
  await test.database.deleteFrom('to_submit').where('payment_id', '=', paymentId).execute()
  const payments = operatorPayments(test.database)
  const reason = 'on the statement'
  const outcome = PaymentState.SUCCESSFUL
  await payments.settlePayment({ paymentId, outcome, receipt: 'UE4A11B2F1', reason })
  const { entries } = await payments.getPaymentTimeline({ paymentId })
  expect(entries.at(-1)).toMatchObject({
    party: 'operator',
    kind: 'by_hand',
    sentence: `amina filled in the receipt of payment ${paymentId}.`,
  })
  for (const said of ['UE4A11B2F1', reason]) expect(textOf(entries.at(-1)?.details)).toContain(said)
})

it('finds payments by another one’s payer or reference, so that no number need be said', async () => {
  const payments = operatorPayments(test.database)
  const [first, second, third] = [
    await acceptUntouched(test.database, test.partnerId),
    await acceptUntouched(test.database, test.partnerId),
    await acceptUntouched(test.database, test.partnerId),
  ]
  const give = (id: bigint, fields: { msisdn?: string; reference?: string | null }) =>
    test.database.updateTable('payments').set(fields).where('id', '=', id).execute()
  await give(first, { msisdn: '254799000001', reference: 'A-1' })
  await give(second, { msisdn: '254799000001', reference: null })
  await give(third, { msisdn: '254000000000', reference: 'A-1' })
  const find = async (request: { samePayerAs?: bigint; sameReferenceAs?: bigint }) =>
    (await payments.findPayments(request)).payments.map((payment) => payment.paymentId)
  expect(await find({ samePayerAs: first })).toEqual([second, first])
  expect(await find({ sameReferenceAs: first })).toEqual([third, first])
  expect(await find({ samePayerAs: first, sameReferenceAs: first })).toEqual([first])
  // Erased, without a reference, or not there at all.
  expect(await find({ samePayerAs: third })).toEqual([])
  expect(await find({ sameReferenceAs: second })).toEqual([])
  expect(await find({ samePayerAs: 999_999n })).toEqual([])
  await expect(find({ samePayerAs: 0n })).rejects.toThrow('same_payer_as must be a positive payment id')
  expect(textOf(await payments.findPayments({ query: { msisdn: '254799000001' } }))).not.toContain('99000001')
})
