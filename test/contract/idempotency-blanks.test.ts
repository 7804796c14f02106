import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashIdempotencyKey, parsePaymentRequest } from '../../src/core/request/payment-request.ts'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import type { IdempotencyKey } from '../../src/values/idempotency-key.ts'
import { countPayments, openFacade, paymentBody, push, type TestFacade } from '../facade/harness.ts'
import { paymentRequest } from '../support/requests.ts'
import { startTransports, type Transports } from '../support/transports.ts'

let test: TestFacade
let transports: Transports
beforeAll(async () => {
  test = await openFacade()
  transports = await startTransports(test)
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

const REST_BODY = { phone: '254700000022', amount: 150, reference: 'INV-1' }

const asked = (idempotencyKey: string) =>
  paymentRequest({
    msisdn: REST_BODY.phone,
    amountKes: REST_BODY.amount,
    reference: REST_BODY.reference,
    callbackUrl: 'https://yourapp.example.com/payment_callback',
    idempotencyKey,
  })

const through = (protocol: string, key: string) => {
  const transport = transports.over[protocol]
  if (!transport) throw new Error(`no protocol ${protocol}`)
  return createClient(PaymentService, transport).requestPayment(asked(key), { headers: test.headers })
}

const overRest = async (key: string): Promise<{ status: string; transaction_id: number }> =>
  JSON.parse((await push(test, paymentBody(REST_BODY), [`X-Idempotency-Key:${key}`])).body)

describe.each(['gRPC', 'Connect', 'gRPC-Web'])('an idempotency key over %s and REST', (protocol) => {
  it.each(['before', 'after', 'on both sides'])(
    'is one key, never another one with blanks %s',
    async (where) => {
      const bare = `order of ${protocol} ${where}`
      const blank = `${where === 'after' ? '' : '  '}${bare}${where === 'before' ? '' : ' '}`
      const first = await overRest(blank)
      expect(first.status).toBe('success')
      const same = await through(protocol, bare)
      expect(same).toMatchObject({ paymentId: BigInt(first.transaction_id), duplicate: true })
      const before = await countPayments(test)
      const error = await through(protocol, blank).then(
        () => null,
        (reason: unknown) => ConnectError.from(reason),
      )
      expect(error?.code).toBe(Code.InvalidArgument)
      expect(error?.rawMessage).toMatch(/^idempotency_key .*blank/)
      expect(await countPayments(test)).toBe(before)
    },
  )

  it('that the release before stored with its blanks is a duplicate still, and prompts nobody', async () => {
    const key = ` stored over ${protocol} `
    const { paymentId } = await through(protocol, key.trim())
    await test.database
      .updateTable('idempotency_keys')
      .set({ key_hash: hashIdempotencyKey(key as IdempotencyKey) })
      .where('payment_id', '=', paymentId)
      .execute()
    expect(await through(protocol, key)).toMatchObject({ paymentId, duplicate: true })
  })
})

it.each(['', ' ', '   ', ' a', 'a ', '\ta', 'a\t'])('the key %j is refused as it is', (idempotencyKey) => {
  const policy = { allowHttp: true, allowPrivateNetworks: true }
  const parsed = parsePaymentRequest(asked(idempotencyKey), { policy })
  expect(parsed).toMatchObject({ refusal: { field: 'idempotency_key' } })
})
