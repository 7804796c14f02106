import { createServer, type Server } from 'node:net'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CoreMetrics } from '../../../src/core/metrics.ts'
import { PaymentState } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { DELIVERY_FIELDS } from '../../support/guide.ts'
import { addPartner, addTestKey } from '../../support/partner.ts'
import { freePort } from '../../support/ports.ts'
import { paymentRequest } from '../../support/requests.ts'

/** Where Daraja would be: whatever connects to it is counted. */
let daraja: Server
let connections = 0
let test: TestCore
let headers: { 'x-api-key': string }
/** What was counted of payments, by the name of the count. */
const counted: string[] = []
const count = (name: keyof CoreMetrics) => () => void counted.push(name)
const METRICS: CoreMetrics = {
  requested: count('requested'),
  pushed: count('pushed'),
  calledBack: count('calledBack'),
  queried: count('queried'),
  pulled: count('pulled'),
  settled: count('settled'),
  found: count('found'),
  heldOff: count('heldOff'),
  watchers: count('watchers'),
  sentEvents: count('sentEvents'),
  showOverload: () => undefined,
}

beforeAll(async () => {
  const port = await freePort()
  daraja = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => daraja.listen(port, '127.0.0.1', resolve))
  test = await startTestCore({
    config: {
      daraja: { baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 60_000 },
      reconcile: { afterMs: 1_000 },
      submit: { concurrency: 1 },
      payerLimits: { openPrompts: 1, promptsPerHour: 1 },
    },
    metrics: METRICS,
  })
  headers = { 'x-api-key': await addTestKey(test) }
})
afterAll(async () => {
  await test.stop()
  daraja.close()
})

const ask = async (overrides: Parameters<typeof paymentRequest>[0], as = headers): Promise<bigint> => {
  const answer = await test.clients.payments.requestPayment(paymentRequest(overrides), { headers: as })
  return answer.paymentId
}

const read = async (paymentId: bigint, as = headers) => {
  const { payment } = await test.clients.payments.getPayment({ paymentId }, { headers: as })
  return payment
}

const settled = (paymentId: bigint) =>
  eventually(async () => {
    const payment = await read(paymentId)
    expect([PaymentState.SUCCESSFUL, PaymentState.FAILED]).toContain(payment?.state)
    return payment
  })

const codeOf = (answer: Promise<unknown>): Promise<Code | undefined> =>
  answer.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  )

describe('a test payment', () => {
  it('goes the way of a real one to the outcome that phone and amount choose, and is marked', async () => {
    const id = await ask({ reference: 'INV-1' })
    const payment = await settled(id)
    expect(payment).toMatchObject({
      paymentId: id,
      partnerId: test.partnerId,
      test: true,
      state: PaymentState.SUCCESSFUL,
      resultCode: '0',
      receipt: `XTEST${id.toString(36).toUpperCase().padStart(5, '0')}`,
      merchantRequestId: `TEST-${id}-1`,
    })
    const moves = await test.database
      .selectFrom('payment_history')
      .select(['from_state', 'to_state', 'cause'])
      .where('payment_id', '=', id)
      .orderBy('at')
      .execute()
    expect(moves.map(({ from_state, to_state, cause }) => `${from_state}>${to_state} ${cause}`)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>submitted push_accepted',
      'submitted>successful callback',
    ])
    const delivery = await test.database
      .selectFrom('deliveries')
      .select('body')
      .where('payment_id', '=', id)
      .executeTakeFirstOrThrow()
    expect(Object.keys(JSON.parse(delivery.body))).toEqual(DELIVERY_FIELDS)
  })

  it.each([
    ['254700000001', 150, '1'],
    ['254700000002', 150, '1032'],
    ['254712345678', 249_003, '1037'],
    ['254700000011', 150, '400.002.02'],
    ['254700000116', 150, 'SFC_IC0003'],
    // Nobody knows whether the payer was prompted; the callback says so.
    ['254700000034', 150, '0'],
    // Its callback comes before the answer to the push.
    ['254700000031', 150, '0'],
  ])('of %s over KES %i ends with %s', async (msisdn, amountKes, resultCode) => {
    expect(await settled(await ask({ msisdn, amountKes }))).toMatchObject({ resultCode, test: true })
  })

  it('that never calls back is asked for, as a real one is', async () => {
    const payment = await settled(await ask({ msisdn: '254700000022' }))
    expect(payment).toMatchObject({ resultCode: '0', state: PaymentState.SUCCESSFUL })
    expect(payment?.receipt).toBeUndefined()
  })

  it('of whatever outcome never meets Daraja; a real one does', async () => {
    const numbers = ['000', '004', '012', '021', '023', '025', '032', '033', '034', '219']
    const ids = await Promise.all(numbers.map((number) => ask({ msisdn: `254700000${number}` })))
    const tried = () =>
      test.database
        .selectFrom('payment_history')
        .select('payment_id')
        .distinct()
        .where('payment_id', 'in', ids)
        .where('cause', 'in', [
          'push_accepted',
          'push_refused',
          'push_to_be_repeated',
          'push_outcome_unknown',
        ])
        .execute()
    await eventually(async () => expect(await tried()).toHaveLength(ids.length))
    expect(connections).toBe(0)
    expect(counted).toEqual([])
    await ask({ idempotencyKey: 'real' }, test.headers)
    await eventually(() => expect(connections).toBeGreaterThan(0))
    expect(counted).toContain('requested')
  })

  it('counts in no limit of the real ones, nor is held to one', async () => {
    await test.database.updateTable('partners').set({ max_daily_kes: 100n }).execute()
    await settled(await ask({ msisdn: '254711000000' }))
    await settled(await ask({ msisdn: '254711000000' }))
    expect(await test.database.selectFrom('partner_days').selectAll().execute()).toEqual([])
    await test.database.updateTable('partners').set({ max_daily_kes: null }).execute()
    // A payer may be asked once an hour: this is the first time.
    const ofPayer = test.database.selectFrom('payer_prompts').where('msisdn', '=', '254711000000')
    expect(await ofPayer.select('msisdn').execute()).toEqual([])
    await ask({ msisdn: '254711000000' }, test.headers)
  })

  it('is another’s for a real key, and a real payment for a test key: the same 404, and no list has both', async () => {
    const rehearsed = await ask({ idempotencyKey: 'order-1' })
    const real = await ask({ idempotencyKey: 'order-1', msisdn: '254722000000' }, test.headers)
    expect(real).not.toBe(rehearsed)
    expect(await codeOf(read(rehearsed, test.headers))).toBe(Code.NotFound)
    expect(await codeOf(read(real))).toBe(Code.NotFound)
    const list = async (as: { 'x-api-key': string }) => {
      const { payments } = await test.clients.payments.listPayments({ pageSize: 100 }, { headers: as })
      return payments.map(({ paymentId, test: isTest }) => ({ paymentId, isTest }))
    }
    const ofReal = await list(test.headers)
    expect(ofReal).toContainEqual({ paymentId: real, isTest: false })
    expect(ofReal.some(({ isTest }) => isTest)).toBe(false)
    const ofTest = await list(headers)
    expect(ofTest).toContainEqual({ paymentId: rehearsed, isTest: true })
    expect(ofTest.every(({ isTest }) => isTest)).toBe(true)
    const wrong = test.clients.payments.listPayments({ test: true }, { headers: test.headers })
    expect(await codeOf(wrong)).toBe(Code.InvalidArgument)
  })
})

describe('test payments', () => {
  it('that wait for an answer take no slot of the real ones', async () => {
    const { partnerId } = await addPartner(test.database, { name: 'Duka la Otieno' })
    const theirs = { 'x-api-key': await addTestKey({ database: test.database, partnerId }) }
    const msisdn = '254700000220'
    const silent = [await ask({ msisdn }, theirs), await ask({ msisdn }, theirs)]
    const statesOf = async (ids: readonly bigint[]) => {
      const rows = await test.database.selectFrom('payments').select('state').where('id', 'in', ids).execute()
      return rows.map(({ state }) => state)
    }
    await eventually(async () => expect(await statesOf(silent)).toEqual(silent.map(() => 'submitting')))
    const before = connections
    await ask({ msisdn: '254733000000' }, test.headers)
    await eventually(() => expect(connections).toBeGreaterThan(before))
    expect(await statesOf(silent)).toEqual(silent.map(() => 'submitting'))
  })

  it('cannot be stored with an account at Daraja, nor real ones with none', async () => {
    const store = (partner_id: bigint, account_id: bigint) =>
      test.database
        .insertInto('payments')
        .values({
          partner_id,
          account_id,
          msisdn: '254712345678',
          amount_kes: 1,
          callback_url: 'https://shop.co.ke/',
          state: 'accepted',
          submit_by: new Date(),
        })
        .execute()
    await expect(store(-test.partnerId, 0n)).rejects.toThrow('payments_test_account')
    await expect(store(-test.partnerId, -test.partnerId - 1n)).rejects.toThrow('payments_test_account')
    await expect(store(test.partnerId, -test.partnerId)).rejects.toThrow('payments_test_account')
  })
})
