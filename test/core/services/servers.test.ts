import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Code } from '@connectrpc/connect'
import { credentials, Client as GrpcClient, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DarajaCallbackService } from '../../../src/gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { FieldViolationSchema } from '../../../src/gen/mpesa/gateway/v1/errors_pb.js'
import { PartnerService } from '../../../src/gen/mpesa/gateway/v1/partners_pb.js'
import {
  PaymentService,
  PaymentState,
  RequestPaymentRequestSchema,
  RequestPaymentResponseSchema,
} from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { bearerOf, clientOver, refusalOf } from '../../support/calls.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { paymentRequest } from '../../support/requests.ts'
import { startTransports, type Transports } from '../../support/transports.ts'

describe('the servers of the core', () => {
  let test: TestCore
  let transports: Transports

  beforeAll(async () => {
    test = await startTestCore()
    transports = await startTransports(test)
  })
  afterAll(async () => {
    await transports.close()
    await test.stop()
  })

  describe.each(['gRPC', 'Connect', 'gRPC-Web'])('through %s', (protocol) => {
    it('a partner requests, reads and lists its payments', async () => {
      const payments = clientOver(transports, PaymentService, protocol)
      const request = paymentRequest({ idempotencyKey: `protocol ${protocol}` })
      const first = await payments.requestPayment(request, { headers: test.headers })
      const again = await payments.requestPayment(request, { headers: test.headers })
      expect(first.duplicate).toBe(false)
      expect(again).toMatchObject({ paymentId: first.paymentId, duplicate: true })
      const { payment } = await payments.getPayment({ paymentId: first.paymentId }, { headers: test.headers })
      expect(payment).toMatchObject({ msisdn: '254712345678', amountKes: 150, reference: 'INV-2025-001' })
      expect(payment?.createdAt).toBeDefined()
      const page = await payments.listPayments({ pageSize: 1 }, { headers: test.headers })
      expect(page.payments.map(({ paymentId }) => paymentId)).toEqual([first.paymentId])
    })

    it('an empty reference is none, as over REST', async () => {
      const payments = clientOver(transports, PaymentService, protocol)
      const idempotencyKey = `empty reference ${protocol}`
      const { headers } = test
      const { reference: _, ...request } = paymentRequest({ idempotencyKey })
      const without = await payments.requestPayment(request, { headers })
      const empty = await payments.requestPayment({ ...request, reference: '' }, { headers })
      expect(empty).toMatchObject({ paymentId: without.paymentId, duplicate: true })
    })

    it('a refusal names the field, in its message and as a detail', async () => {
      const payments = clientOver(transports, PaymentService, protocol)
      const error = await refusalOf(
        payments.requestPayment(paymentRequest({ amountKes: 0 }), { headers: test.headers }),
      )
      expect(error.code).toBe(Code.InvalidArgument)
      expect(error.rawMessage).toBe('amount_kes must be a whole number of KES from 1 to 250000')
      expect(error.findDetails(FieldViolationSchema)).toMatchObject([{ field: 'amount_kes' }])
    })

    it('nobody comes in without a key that is known', async () => {
      const payments = clientOver(transports, PaymentService, protocol)
      for (const headers of [{}, { 'x-api-key': 'mpg_wrong' }, { 'x-api-key': `${test.apiKey}0` }]) {
        const error = await refusalOf(payments.requestPayment(paymentRequest(), { headers }))
        expect(error.code).toBe(Code.Unauthenticated)
      }
    })

    it('a service does what its scopes allow, and nothing else', async () => {
      const partners = clientOver(transports, PartnerService, protocol)
      const manage = await bearerOf(test.database, 'partners:manage')
      const created = await partners.createPartner({ name: `Shule ${protocol}` }, { headers: manage })
      expect(created.apiKey).toMatch(/^mpg_/)
      expect(created.signingSecret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
      const { partnerId } = created
      const rotated = await partners.rotateSigningSecret({ partnerId }, { headers: manage })
      expect(rotated.signingSecret).toMatch(/^whsec_/)
      expect(rotated.signingSecret).not.toBe(created.signingSecret)
      const payments = clientOver(transports, PaymentService, protocol)
      const refused = await refusalOf(payments.listPayments({}, { headers: manage }))
      expect(refused.code).toBe(Code.PermissionDenied)
      const listed = await payments.listPayments(
        {},
        { headers: await bearerOf(test.database, 'payments:read') },
      )
      expect(listed.payments.length).toBeGreaterThan(0)
      for (const headers of [{}, { authorization: 'Bearer mps_wrong' }, test.headers]) {
        const error = await refusalOf(partners.createPartner({ name: 'Nobody' }, { headers }))
        expect(error.code).toBe(Code.Unauthenticated)
        const rotation = await refusalOf(partners.rotateSigningSecret({ partnerId }, { headers }))
        expect(rotation.code).toBe(Code.Unauthenticated)
      }
    })

    it('a callback is taken from a service that may bring it, byte for byte', async () => {
      const callbacks = clientOver(transports, DarajaCallbackService, protocol)
      const body = Buffer.from([0, 255, 123, 34, ...Buffer.from(protocol)])
      const request = {
        token: 'unknown',
        body,
        headers: [{ name: 'X-One', value: '1' }],
        sourceAddress: '196.201.214.200',
      }
      expect((await refusalOf(callbacks.receiveStkCallback(request))).code).toBe(Code.Unauthenticated)
      await callbacks.receiveStkCallback(request, {
        headers: await bearerOf(test.database, 'callbacks:write'),
      })
      const stored = await test.database
        .selectFrom('callbacks')
        .selectAll()
        .where('body', '=', body)
        .execute()
      expect(stored).toMatchObject([
        { payment_id: null, source_address: '196.201.214.200', headers: [['X-One', '1']] },
      ])
    })
  })

  it('native grpc-js clients get the code and the message', async () => {
    const client = new GrpcClient(`127.0.0.1:${transports.grpcPort}`, credentials.createInsecure())
    const call = (metadata: Metadata, request: object) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          '/mpesa.gateway.v1.PaymentService/RequestPayment',
          (message: object) =>
            Buffer.from(toBinary(RequestPaymentRequestSchema, create(RequestPaymentRequestSchema, message))),
          (bytes: Buffer) => fromBinary(RequestPaymentResponseSchema, bytes),
          request,
          metadata,
          (error, response) => (error ? reject(error) : resolve(response)),
        )
      })
    const metadata = new Metadata()
    metadata.set('x-api-key', test.apiKey)
    expect(await call(metadata, paymentRequest())).toMatchObject({ duplicate: false })
    await expect(call(metadata, paymentRequest({ callbackUrl: '' }))).rejects.toMatchObject({
      code: 3,
      details: 'callback_url is required',
    })
    client.close()
  })

  it('another partner’s payment is as absent as none', async () => {
    const payments = clientOver(transports, PaymentService, 'gRPC')
    const { paymentId } = await payments.requestPayment(paymentRequest(), { headers: test.headers })
    const partners = clientOver(transports, PartnerService, 'gRPC')
    const stranger = await partners.createPartner(
      { name: 'Stranger' },
      { headers: await bearerOf(test.database, 'partners:manage') },
    )
    const headers = { 'x-api-key': stranger.apiKey }
    const theirs = await refusalOf(payments.getPayment({ paymentId }, { headers }))
    const none = await refusalOf(payments.getPayment({ paymentId: 999_999n }, { headers }))
    expect(theirs.code).toBe(Code.NotFound)
    expect(theirs.rawMessage).toBe(none.rawMessage)
    expect((await payments.listPayments({}, { headers })).payments).toEqual([])
  })

  it('pages hold every payment once, newest first, and can be narrowed to a state', async () => {
    const payments = clientOver(transports, PaymentService, 'gRPC')
    const { headers } = test
    for (let count = 0; count < 5; count += 1) await payments.requestPayment(paymentRequest(), { headers })
    const seen: bigint[] = []
    let before: bigint | undefined
    do {
      const page = await payments.listPayments(
        { pageSize: 2, ...(before !== undefined && { before }) },
        { headers },
      )
      seen.push(...page.payments.map(({ paymentId }) => paymentId))
      before = page.nextBefore
    } while (before !== undefined)
    expect(seen).toEqual(seen.toSorted((one, other) => Number(other - one)))
    const stored = await test.database
      .selectFrom('payments')
      .select('id')
      .where('partner_id', '=', test.partnerId)
      .execute()
    expect(seen).toHaveLength(stored.length)
    const none = await payments.listPayments({ state: PaymentState.UNCONFIRMED }, { headers })
    expect(none.payments).toEqual([])
    for (const wrong of [{ pageSize: 101 }, { pageSize: -1 }, { before: 0n }, { state: UNKNOWN_STATE }]) {
      expect((await refusalOf(payments.listPayments(wrong, { headers }))).code).toBe(Code.InvalidArgument)
    }
  })

  it('a revoked key and a disabled partner are refused for what they are', async () => {
    const payments = clientOver(transports, PaymentService, 'gRPC')
    const partners = clientOver(transports, PartnerService, 'gRPC')
    const headers = await bearerOf(test.database, 'partners:manage')
    const [revoked, disabled] = await Promise.all([
      partners.createPartner({ name: 'Revoked' }, { headers }),
      partners.createPartner({ name: 'Disabled' }, { headers }),
    ])
    const now = new Date()
    await test.database
      .updateTable('api_keys')
      .set({ revoked_at: now })
      .where('partner_id', '=', revoked.partnerId)
      .execute()
    await test.database
      .updateTable('partners')
      .set({ disabled_at: now })
      .where('id', '=', disabled.partnerId)
      .execute()
    for (const { apiKey } of [revoked, disabled]) {
      const error = await refusalOf(
        payments.requestPayment(paymentRequest(), { headers: { 'x-api-key': apiKey } }),
      )
      expect(error.code).toBe(Code.PermissionDenied)
    }
  })
})

/** A state that this release does not know. */
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- what a newer client may send
const UNKNOWN_STATE = 99 as PaymentState
