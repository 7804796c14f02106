import { randomBytes } from 'node:crypto'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createServiceToken, revokeServiceToken } from '../../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { ErrorInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.js'
import { DarajaCallbackService } from '../../../src/gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { createWrongSecrets } from '../../../src/runtime/count-wrong-secrets.ts'
import { SCOPES, type Scope } from '../../../src/values/scope.ts'
import { testActor } from '../../support/actor.ts'
import { openApart } from '../../support/apart.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { acceptUntouched } from '../../support/payments.ts'

const PER_MINUTE = 20

let test: TestCore
let grpc: GrpcServer

beforeAll(async () => {
  const wrongSecrets = createWrongSecrets({ perMinute: PER_MINUTE, nowMs: () => performance.now() })
  test = await startTestCore({ wrongSecrets })
  grpc = await startGrpcServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await grpc.close()
  await test.stop()
})

const makeToken = async (scopes: readonly Scope[]): Promise<string> => {
  const { database } = test
  const made = await createServiceToken({ actor: testActor, database, name: 'facade', scopes, randomBytes })
  return made.token
}

const open = () => {
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpc.port}` })
  return {
    payments: createClient(PaymentService, transport),
    callbacks: createClient(DarajaCallbackService, transport),
  }
}

/** The code and the reason that a call was refused with; `in` for one that was not. */
const outcomeOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => ConnectError.from(reason),
  )
  return error === null ? 'in' : `${Code[error.code]} ${error.findDetails(ErrorInfoSchema)[0]?.reason}`
}

const list = (headers: Record<string, string>) =>
  outcomeOf(open().payments.listPayments({}, { headers: { 'x-api-key': 'guess', ...headers } }))

const REFUSED = 'PermissionDenied FACADE_REFUSED'

describe('what a facade says of its caller’s address', () => {
  it('decides whose wrong keys are counted, once it proves itself', async () => {
    const token = { 'x-facade-token': await makeToken(['facade:call']) }
    const from = (address: string) => list({ ...token, 'x-client-address': address })
    for (let count = 0; count < PER_MINUTE; count += 1)
      expect(await from('192.0.2.1')).toBe('Unauthenticated API_KEY_UNKNOWN')
    expect(await from('192.0.2.1')).toBe('ResourceExhausted TOO_MANY_WRONG_CREDENTIALS')
    expect(await from('192.0.2.2')).toBe('Unauthenticated API_KEY_UNKNOWN')
    expect(await from('not an address')).toBe('InvalidArgument FIELD_INVALID')
  })

  it('stands in the audit log', async () => {
    const apart = await openApart(test)
    const paymentId = await acceptUntouched(test.database, test.partnerId)
    const headers = {
      ...test.headers,
      'x-facade-token': apart.token,
      'x-client-address': '2001:db8::17',
    }
    await open().payments.cancelPayment({ paymentId }, { headers })
    await apart.close()
    const entries = await test.database.selectFrom('audit').select(['actor_kind', 'source']).execute()
    expect(entries).toContainEqual({ actor_kind: 'partner', source: '2001:db8::17' })
  })
})

describe('a call whose facade does not prove itself', () => {
  const revoked = async (): Promise<string> => {
    const { database } = test
    const scopes = ['facade:call'] as const
    const made = await createServiceToken({ actor: testActor, database, name: 'facade', scopes, randomBytes })
    await revokeServiceToken({ database, tokenId: made.tokenId, actor: testActor })
    return made.token
  }

  it.each([
    ['no token', () => Promise.resolve('')],
    ['a partner’s key', () => Promise.resolve(test.apiKey)],
    ['a revoked token', revoked],
    ['a token of every other scope', () => makeToken(SCOPES.filter((scope) => scope !== 'facade:call'))],
  ])('is refused with %s, whatever key it hands on', async (_what, token) => {
    const headers = { ...test.headers, 'x-facade-token': await token(), 'x-client-address': '192.0.2.3' }
    expect(await outcomeOf(open().payments.listPayments({}, { headers }))).toBe(REFUSED)
    expect(await outcomeOf(open().payments.requestPayment({}, { headers }))).toBe(REFUSED)
  })

  it('hands on a callback only with the scope for it', async () => {
    const call = (token: string) =>
      outcomeOf(open().callbacks.receiveStkCallback({ token: 'x' }, { headers: { 'x-facade-token': token } }))
    expect(await call(await makeToken(['facade:call']))).toBe(REFUSED)
    expect(await call(await makeToken(['facade:call', 'callbacks:write']))).toBe('in')
  })
})

it('the scope of a facade by itself opens nothing', async () => {
  const headers = { authorization: `Bearer ${await makeToken(['facade:call'])}` }
  expect(await outcomeOf(open().payments.listPayments({}, { headers }))).toBe(
    'PermissionDenied SCOPE_MISSING',
  )
})

// Last: after it this address has shown too many wrong keys.
it('an address that a caller who is no facade names is not believed', async () => {
  const outcomes: string[] = []
  for (let count = 0; count <= PER_MINUTE; count += 1)
    outcomes.push(await list({ 'x-client-address': `192.0.2.${100 + count}` }))
  expect(outcomes.at(-1)).toBe('ResourceExhausted TOO_MANY_WRONG_CREDENTIALS')
})
