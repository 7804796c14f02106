import { randomBytes } from 'node:crypto'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { setDisabled, setPartnerSettings } from '../../../src/core/partners/change-partner.ts'
import { createServiceToken } from '../../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { createWrongSecrets } from '../../../src/runtime/count-wrong-secrets.ts'
import { testActor } from '../../support/actor.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { addPartner } from '../../support/partner.ts'
import { paymentRequest } from '../../support/requests.ts'

let test: TestCore
let grpc: GrpcServer
let token: string
beforeAll(async () => {
  const wrongSecrets = createWrongSecrets({ perMinute: 5, nowMs: () => performance.now() })
  test = await startTestCore({ wrongSecrets })
  grpc = await startGrpcServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
  const scopes = ['payments:write'] as const
  const made = { actor: testActor, database: test.database, name: 'till', scopes, randomBytes }
  token = (await createServiceToken(made)).token
})
afterAll(async () => {
  await grpc.close()
  await test.stop()
})

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

const client = () =>
  createClient(PaymentService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpc.port}` }))

const ask = async (headers: Record<string, string>) => {
  try {
    return await client().requestPayment(paymentRequest(), { headers })
  } catch (error) {
    const { code, rawMessage, metadata } = ConnectError.from(error)
    return { code: Code[code], message: rawMessage, retryAfter: metadata.get('retry-after') }
  }
}

const inNameOf = (id: string | bigint) =>
  ask({ authorization: `Bearer ${token}`, 'x-partner-id': String(id) })

const newPartner = async () => {
  const { partnerId } = await addPartner(test.database, { name: 'Duka' })
  return { database: test.database, partnerId, actor }
}

it('a service asks in the name of a partner, whose payment it is', async () => {
  const answer = await inNameOf(test.partnerId)
  if (!('paymentId' in answer)) throw new Error(JSON.stringify(answer))
  const { payment } = await client().getPayment({ paymentId: answer.paymentId }, { headers: test.headers })
  expect(payment?.partnerId).toBe(test.partnerId)
})

it('a service must say in whose name, and of a partner that is there', async () => {
  expect(await inNameOf('')).toMatchObject({
    code: 'InvalidArgument',
    message:
      'x-partner-id is required of a service: the id of the partner in whose name it asks, as metadata',
  })
  for (const id of ['0', '-1', '1.5', 'duka']) {
    expect(await inNameOf(id)).toMatchObject({
      code: 'InvalidArgument',
      message: 'x-partner-id must be the id of a partner, a positive whole number',
    })
  }
  expect(await inNameOf('999999')).toMatchObject({ code: 'NotFound', message: 'there is no such partner' })
})

it('what bounds a partner bounds a service that asks in its name', async () => {
  const [disabled, slow] = [await newPartner(), await newPartner()]
  await setDisabled({ ...disabled, isDisabled: true })
  expect(await inNameOf(disabled.partnerId)).toMatchObject({
    code: 'PermissionDenied',
    message: 'this partner is disabled',
  })
  await setPartnerSettings({ ...slow, settings: { requestsPerSecond: 1 } })
  const answers = await Promise.all(Array.from({ length: 10 }, () => inNameOf(slow.partnerId)))
  expect(answers.find((answer) => 'code' in answer)).toMatchObject({
    code: 'ResourceExhausted',
    message: expect.stringContaining('you may ask once a second: ask again in 1 s'),
    retryAfter: '1',
  })
})

it('an address that shows too many wrong tokens is refused with the time to wait', async () => {
  const wrong = () => ask({ authorization: 'Bearer mps_guess', 'x-partner-id': '1' })
  for (let count = 0; count < 5; count += 1) expect(await wrong()).toMatchObject({ code: 'Unauthenticated' })
  const refused = await wrong()
  expect(refused).toMatchObject({
    code: 'ResourceExhausted',
    message: expect.stringMatching(
      /^too many wrong service tokens came from your address: try again in \d+ s$/,
    ),
    retryAfter: expect.stringMatching(/^\d+$/),
  })
  expect(await inNameOf(test.partnerId)).toMatchObject({ duplicate: false })
})
