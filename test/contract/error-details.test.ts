import { randomBytes } from 'node:crypto'
import { type DescMessage, type DescMethod, type DescMethodUnary, ScalarType } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setPartnerSettings } from '../../src/core/partners/change-partner.ts'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { servicesOf } from '../../src/core/server/services.ts'
import { ERROR_DOMAIN, REASONS } from '../../src/core/services/failure.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '../../src/gen/google/rpc/error_details_pb.js'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { SCOPES } from '../../src/values/scope.ts'
import { testActor } from '../support/actor.ts'
import { startTestCore, type TestCore } from '../support/core.ts'
import { addPartner } from '../support/partner.ts'
import { startTransports, type Transports } from '../support/transports.ts'

// Every method over every protocol, refused for the reasons that all of them have: the rows come from the contract.

const test: TestCore = await startTestCore()
const METHODS = servicesOf(test.core.services)
  .flatMap((service) => service.methods)
  .filter((method): method is DescMethodUnary => method.methodKind === 'unary')
  // Anybody may ask it.
  .filter((method) => method.parent.name !== 'StatusService')

/** How the names of methods begin that change nothing. */
const READS = /^(?:BatchGet|Find|Get|List)/

let transports: Transports
let over: Record<string, Transport>
/** Of a service that may do everything, in the name of the test's partner. */
let everything: Record<string, string>
beforeAll(async () => {
  transports = await startTransports(test)
  const baseUrl = `http://127.0.0.1:${transports.connectPort}`
  over = {
    ...transports.over,
    'Connect over HTTP/2': createConnectTransport({ baseUrl, httpVersion: '2' }),
    'gRPC on the port of Connect': createGrpcTransport({ baseUrl }),
  }
  const { token } = await createServiceToken({
    actor: testActor,
    database: test.database,
    name: 'everything',
    scopes: SCOPES,
    randomBytes,
  })
  everything = { authorization: `Bearer ${token}`, 'x-partner-id': String(test.partnerId) }
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})

const PROTOCOLS = ['gRPC', 'Connect', 'gRPC-Web', 'Connect over HTTP/2', 'gRPC on the port of Connect']

const refusalOf = async (options: {
  protocol: string
  method: DescMethodUnary
  headers: Record<string, string>
  request: Record<string, unknown>
}): Promise<ConnectError> => {
  const { protocol, method, headers, request } = options
  const transport = over[protocol]
  if (transport === undefined) throw new Error(`no protocol ${protocol}`)
  const answered = await transport
    .unary(method, undefined, 30_000, headers, request)
    .catch((reason: unknown) => ConnectError.from(reason))
  if (answered instanceof ConnectError) return answered
  throw new Error(`${method.name} was answered`)
}

/** A field that must not be negative: an id that is asked for, or the size of a page. */
const boundedField = (method: DescMethod) =>
  method.input.fields.find(
    (field) =>
      field.fieldKind === 'scalar' &&
      ((field.scalar === ScalarType.INT64 && field.name.endsWith('_id')) || field.name === 'page_size'),
  )

/** Each instant that a message of this kind may have, also in a filter, by its field and in a message with a wrong one. */
const instantsOf = (message: DescMessage): [field: string, request: Record<string, unknown>][] =>
  message.fields.flatMap((field) => {
    if (field.fieldKind !== 'message') return []
    if (field.message.typeName === TimestampSchema.typeName)
      return [[field.name, { [field.localName]: { seconds: 2n ** 62n } }]]
    if (field.name !== 'filter') return []
    return instantsOf(field.message).map(([name, request]) => [
      `filter.${name}`,
      { [field.localName]: request },
    ])
  })

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it.each(METHODS.map((method) => [method.name, method] as const))(
    '%s says in a detail that credentials are missing',
    async (_name, method) => {
      const error = await refusalOf({ protocol, method, headers: {}, request: {} })
      expect(error.code).toBe(Code.Unauthenticated)
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
        { reason: 'CREDENTIALS_MISSING', domain: ERROR_DOMAIN },
      ])
      expect(error.rawMessage).toContain('authorization: Bearer')
    },
  )

  it.each(
    METHODS.flatMap((method) => {
      const field = boundedField(method)
      return field === undefined ? [] : [[method.name, field, method] as const]
    }),
  )('%s names %s, which is wrong, in a detail', async (_name, field, method) => {
    const wrong = field.fieldKind === 'scalar' && field.scalar === ScalarType.INT64 ? -1n : -1
    const request = { [field.localName]: wrong }
    const error = await refusalOf({ protocol, method, headers: everything, request })
    expect(error.code).toBe(Code.InvalidArgument)
    const [details] = error.findDetails(BadRequestSchema)
    expect(details?.fieldViolations).toMatchObject([{ field: field.name, description: error.rawMessage }])
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'FIELD_INVALID' }])
  })

  it.each(
    METHODS.flatMap((method) =>
      instantsOf(method.input).map(([field, request]) => [method.name, field, method, request] as const),
    ),
  )('%s names %s, which is no instant of any calendar', async (_name, field, method, request) => {
    const error = await refusalOf({ protocol, method, headers: everything, request })
    expect([error.code, error.rawMessage]).toEqual([
      Code.InvalidArgument,
      `${field} must be an instant of the years 1 to 9999`,
    ])
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([{ field }])
  })

  it('who asks too often hears in a detail when to ask again', async () => {
    const partner = await addPartner(test.database, { name: `Hasty ${protocol}` })
    const settings = { requestsPerSecond: 1 }
    const { database } = test
    await setPartnerSettings({ database, partnerId: partner.partnerId, settings, actor: testActor })
    const transport = over[protocol]
    if (transport === undefined) throw new Error(`no protocol ${protocol}`)
    const payments = createClient(PaymentService, transport)
    const headers = { 'x-api-key': partner.apiKey }
    const calls = Array.from({ length: 20 }, () =>
      payments.listPayments({}, { headers }).then(
        () => null,
        (reason: unknown) => ConnectError.from(reason),
      ),
    )
    const error = (await Promise.all(calls)).find((one) => one !== null)
    expect(error?.code).toBe(Code.ResourceExhausted)
    expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'TOO_MANY_REQUESTS' }])
    const [retry] = error?.findDetails(RetryInfoSchema) ?? []
    expect(String(retry?.retryDelay?.seconds)).toBe(error?.metadata.get('retry-after'))
  })
})

it.each(METHODS.map((method) => [method.name, method] as const).filter(([name]) => READS.test(name)))(
  '%s says that it only reads: so it takes a GET, and clients may repeat it',
  (_name, { idempotency }) => expect(idempotency).toBe(MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS),
)

it('reasons are written as google.rpc.ErrorInfo asks', () => {
  for (const reason of Object.keys(REASONS)) expect(reason).toMatch(/^[A-Z][A-Z0-9_]+[A-Z0-9]$/)
})
