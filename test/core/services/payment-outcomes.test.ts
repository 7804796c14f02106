import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import { ChangeOutcome, DeliveryState } from '../../../src/gen/mpesa/gateway/v1/deliveries_pb.js'
import { PaymentService, PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { BY_HAND } from '../../support/actor.ts'
import { clientOver, refusedWith } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addPartner } from '../../support/partner.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { startTransports, type Transports } from '../../support/transports.ts'
import { attempted, end, hold } from '../deliveries/harness.ts'

// What partners do themselves about what became of their payments: cancel, send again, see who was sent what.

let test: TestCore
let transports: Transports
let wakes = 0

beforeAll(async () => {
  test = await startTestCore({
    onDeliveriesDue: () => {
      wakes += 1
    },
  })
  transports = await startTransports(test)
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

const through = (protocol: string) => clientOver(transports, PaymentService, protocol)

const acceptOne = (partnerId = test.partnerId): Promise<bigint> => acceptUntouched(test.database, partnerId)

/** One that was settled, and its delivery. */
const settled = async (partnerId = test.partnerId) => {
  const paymentId = await acceptOne(partnerId)
  await settleByHand(test.database, { ...BY_HAND, paymentId, outcome: 'failed', receipt: null })
  const { id } = await test.database
    .selectFrom('deliveries')
    .select('id')
    .where('payment_id', '=', paymentId)
    .executeTakeFirstOrThrow()
  return { paymentId, deliveryId: id }
}

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('a partner through %s', (protocol) => {
  it('cancels a payment, as often as it likes', async () => {
    const payments = through(protocol)
    const { headers } = test
    const paymentId = await acceptOne()
    const before = wakes
    const { payment } = await payments.cancelPayment({ paymentId, reason: 'ordered twice' }, { headers })
    expect(payment).toMatchObject({ paymentId, state: PaymentState.FAILED, resultCode: 'CANCELLED' })
    expect(wakes).toBe(before + 1)
    expect((await payments.cancelPayment({ paymentId }, { headers })).payment).toEqual(payment)
    expect(wakes).toBe(before + 1)
    const [move] = await test.database
      .selectFrom('payment_history')
      .select(['cause', 'detail', 'operator'])
      .where('payment_id', '=', paymentId)
      .execute()
    expect(move).toEqual({
      cause: 'cancelled',
      detail: 'ordered twice',
      operator: expect.stringMatching(new RegExp(`^partner ${test.partnerId} \\(mpg_\\w+\\)$`)),
    })
  })

  it('is told in what state the payment is that cannot be cancelled, or what is wrong', async () => {
    const payments = through(protocol)
    const { headers } = test
    const { paymentId } = await settled()
    expect(await refusedWith(payments.cancelPayment({ paymentId }, { headers }))).toEqual([
      Code.FailedPrecondition,
      'the payment is failed with result_code NOT_PAID and cannot be cancelled: it has ended',
    ])
    const open = await acceptOne()
    expect(await refusedWith(payments.cancelPayment({ paymentId: open, reason: ' ' }, { headers }))).toEqual([
      Code.InvalidArgument,
      'reason must be 1 to 500 printable characters',
    ])
    expect(await payments.getPayment({ paymentId: open }, { headers })).toMatchObject({
      payment: { state: PaymentState.ACCEPTED },
    })
  })

  it('has an outcome sent again, and sees its deliveries with their attempts', async () => {
    const payments = through(protocol)
    const { headers } = test
    const { paymentId, deliveryId } = await settled()
    await attempted(test.database, deliveryId, {
      status: 500,
      errorClass: 'status',
      answer: '😀'.repeat(600),
    })
    await end(test.database, deliveryId, 'dead')
    expect(await payments.resendOutcome({ paymentId }, { headers })).toMatchObject({
      outcome: ChangeOutcome.RETRIED,
      delivery: { webhookId: `msg_${paymentId}_failed`, state: DeliveryState.PENDING },
    })
    await hold(test.database, deliveryId)
    const { deliveries } = await payments.listPaymentDeliveries({ paymentId }, { headers })
    expect(deliveries).toMatchObject([
      {
        delivery: { deliveryId, paymentId, state: DeliveryState.HELD, heldBecause: 'ramping' },
        attempts: [
          { number: 1, status: 500, errorClass: 'status', durationMs: 12, answer: '😀'.repeat(250) },
        ],
      },
    ])
    const open = await acceptOne()
    expect(await refusedWith(payments.resendOutcome({ paymentId: open }, { headers }))).toEqual([
      Code.FailedPrecondition,
      'the payment is accepted: it has no outcome yet that could be sent again',
    ])
    expect(await payments.listPaymentDeliveries({ paymentId: open }, { headers })).toMatchObject({
      deliveries: [],
    })
  })

  it('has sent again what did not arrive, and counts it first', async () => {
    const payments = through(protocol)
    const { partnerId, apiKey } = await addPartner(test.database, { name: 'Misses' })
    const headers = { 'x-api-key': apiKey }
    for (const { deliveryId } of [await settled(partnerId), await settled(partnerId)])
      await end(test.database, deliveryId, 'dead')
    const filter = { delivery: DeliveryState.DEAD, state: PaymentState.FAILED }
    const counted = await payments.resendOutcomes({ ...filter, validateOnly: true }, { headers })
    expect(counted).toMatchObject({ found: 2, more: false, resent: 0 })
    expect(await payments.resendOutcomes({ ...filter, perSecond: 100 }, { headers })).toMatchObject({
      found: 2,
      resent: 2,
      waiting: 0,
    })
    expect(await payments.resendOutcomes(filter, { headers })).toMatchObject({ found: 0 })
    expect(await payments.resendOutcomes({}, { headers })).toMatchObject({ found: 2, resent: 0, waiting: 2 })
  })
})

const MOMENT = timestampFromDate(new Date())

it.each([
  [
    'delivery',
    { delivery: DeliveryState.DELIVERED },
    'must be one of undelivered, pending, held, dead, cancelled',
  ],
  ['state', { state: PaymentState.SUBMITTED }, 'must be one of successful, failed: others have no outcome'],
  ['reference', { reference: '' }, 'must be a string of 1 to 64 printable characters'],
  ['reference', { reference: 'INV\u0000' }, 'must be a string of 1 to 64 printable characters'],
  ['created_to', { createdFrom: MOMENT, createdTo: MOMENT }, 'must be after created_from'],
  ['outcome_to', { outcomeFrom: MOMENT, outcomeTo: MOMENT }, 'must be after outcome_from'],
  ['per_second', { perSecond: 101 }, 'must be a whole number from 1 to 100'],
  ['per_second', { perSecond: -1 }, 'must be a whole number from 1 to 100'],
])('nothing is sent again when %s is wrong (%o)', async (field, request, problem) => {
  const { deliveryId } = await settled()
  await end(test.database, deliveryId, 'dead')
  const call = through('gRPC').resendOutcomes(request, { headers: test.headers })
  expect(await refusedWith(call)).toEqual([Code.InvalidArgument, `${field} ${problem}`])
  const { state } = await test.database
    .selectFrom('deliveries')
    .select('state')
    .where('id', '=', deliveryId)
    .executeTakeFirstOrThrow()
  expect(state).toBe('dead')
})

it('another partner’s payment is the same NOT_FOUND as none, and stays as it is', async () => {
  const { apiKey } = await addPartner(test.database, { name: 'Stranger' })
  const headers = { 'x-api-key': apiKey }
  const payments = through('gRPC')
  const ours = await acceptOne()
  for (const paymentId of [ours, 999_999_999n]) {
    const calls = [
      refusedWith(payments.cancelPayment({ paymentId }, { headers })),
      refusedWith(payments.resendOutcome({ paymentId }, { headers })),
      refusedWith(payments.listPaymentDeliveries({ paymentId }, { headers })),
    ]
    for (const refusal of await Promise.all(calls))
      expect(refusal).toEqual([Code.NotFound, 'there is no such payment'])
  }
  const read = await payments.getPayment({ paymentId: ours }, { headers: test.headers })
  expect(read.payment?.state).toBe(PaymentState.ACCEPTED)
})
