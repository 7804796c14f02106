import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DescMethod, DescMethodServerStreaming, DescMethodUnary, DescService } from '@bufbuild/protobuf'
import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../src/core/server/grpc.ts'
import { specsOf } from '../../src/core/server/services.ts'
import { createFacade } from '../../src/facade/server.ts'
import { SCOPES, type Scope } from '../../src/values/scope.ts'
import { ask, openFacade, paymentBody, type TestFacade } from '../facade/harness.ts'
import { type Certificate, createAuthority } from '../support/certificates.ts'
import { acceptUntouched } from '../support/payments.ts'
import { paymentRequest } from '../support/requests.ts'
import { makeCallers } from './callers.ts'

// Every method and every route, called by everybody: the rows come from the contract and from the facade itself, so one that
// is new fails here until it is said who may call it.

/** Who may call a method, `scope` null: everybody; `other`: what another partner sees of what belongs to the test's partner. */
type Access = {
  scope: Scope | null
  partners?: { other: 'in' | 'NotFound' }
  request?: (ours: bigint) => object
}

const MANAGE_PARTNERS: Access = { scope: 'partners:manage' }
const MANAGE_DELIVERIES: Access = { scope: 'deliveries:manage' }
const MANAGE_ACCOUNTS: Access = { scope: 'accounts:manage' }
const MANAGE_TOKENS: Access = { scope: 'tokens:manage' }
const MANAGE_OPERATORS: Access = { scope: 'operators:manage' }

const MANAGE_APPROVALS: Access = { scope: 'approvals:manage' }
const MANAGE_STATEMENTS: Access = { scope: 'statements:manage' }

const METHODS: Readonly<Record<string, Access>> = {
  'PaymentService.RequestPayment': {
    scope: 'payments:write',
    partners: { other: 'in' },
    request: () => paymentRequest(),
  },
  'PaymentService.GetPayment': {
    scope: 'payments:read',
    partners: { other: 'NotFound' },
    request: (paymentId) => ({ paymentId }),
  },
  'PaymentService.ListPayments': { scope: 'payments:read', partners: { other: 'in' } },
  'PaymentService.BatchGetPayments': {
    scope: 'payments:read',
    partners: { other: 'in' },
    request: (paymentId) => ({ paymentIds: [paymentId] }),
  },
  'PaymentService.CancelPayment': {
    scope: 'payments:write',
    partners: { other: 'NotFound' },
    request: (paymentId) => ({ paymentId }),
  },
  'PaymentService.ResendOutcome': {
    scope: 'payments:write',
    partners: { other: 'NotFound' },
    request: (paymentId) => ({ paymentId }),
  },
  'PaymentService.ResendOutcomes': { scope: 'payments:write', partners: { other: 'in' } },
  'PaymentService.ListPaymentDeliveries': {
    scope: 'payments:read',
    partners: { other: 'NotFound' },
    request: (paymentId) => ({ paymentId }),
  },
  'PaymentEventService.WatchPayments': {
    scope: 'payments:read',
    partners: { other: 'NotFound' },
    request: (paymentId) => ({ paymentId }),
  },
  'PaymentEventService.ListPaymentEvents': {
    scope: 'payments:read',
    partners: { other: 'NotFound' },
    request: (paymentId) => ({ paymentId }),
  },
  'DarajaCallbackService.ReceiveStkCallback': { scope: 'callbacks:write' },
  'PartnerService.CreatePartner': MANAGE_PARTNERS,
  'PartnerService.ListPartners': MANAGE_PARTNERS,
  'PartnerService.GetPartner': MANAGE_PARTNERS,
  'PartnerService.DisablePartner': MANAGE_PARTNERS,
  'PartnerService.EnablePartner': MANAGE_PARTNERS,
  'PartnerService.SetPartnerSettings': MANAGE_PARTNERS,
  'PartnerService.CreateKey': MANAGE_PARTNERS,
  'PartnerService.ListKeys': MANAGE_PARTNERS,
  'PartnerService.RotateKey': MANAGE_PARTNERS,
  'PartnerService.RevokeKey': MANAGE_PARTNERS,
  'PartnerService.RotateSigningSecret': MANAGE_PARTNERS,
  'DeliveryService.ListDeliveries': MANAGE_DELIVERIES,
  'DeliveryService.GetDelivery': MANAGE_DELIVERIES,
  'DeliveryService.RetryDeliveries': MANAGE_DELIVERIES,
  'DeliveryService.CancelDeliveries': MANAGE_DELIVERIES,
  'DeliveryService.ListEndpoints': MANAGE_DELIVERIES,
  'DeliveryService.PauseEndpoint': MANAGE_DELIVERIES,
  'DeliveryService.ResumeEndpoint': MANAGE_DELIVERIES,
  'DeliveryService.ProbeEndpoint': MANAGE_DELIVERIES,
  'PaymentOperationsService.ListOpenPayments': { scope: 'payments:read' },
  'PaymentOperationsService.ListFindings': { scope: 'payments:read' },
  'PaymentOperationsService.GetPaymentHistory': { scope: 'payments:read' },
  'PaymentOperationsService.SettlePayment': { scope: 'payments:manage' },
  'PaymentOperationsService.FindPayments': { scope: 'payments:read' },
  'PaymentOperationsService.GetPaymentTimeline': { scope: 'payments:read' },
  'PaymentOperationsService.RevealMsisdn': { scope: 'payments:manage' },
  'PaymentOperationsService.CancelPaymentByHand': { scope: 'payments:manage' },
  'PaymentOperationsService.ListExceptions': { scope: 'payments:read' },
  'PaymentOperationsService.AcknowledgeFinding': { scope: 'payments:manage' },
  'AccountService.ListAccounts': MANAGE_ACCOUNTS,
  'AccountService.SetAccount': MANAGE_ACCOUNTS,
  'AccountService.EndAccount': MANAGE_ACCOUNTS,
  'AccountService.CheckAccount': MANAGE_ACCOUNTS,
  'TokenService.ListTokens': MANAGE_TOKENS,
  'TokenService.CreateToken': MANAGE_TOKENS,
  'TokenService.RevokeToken': MANAGE_TOKENS,
  'OperatorService.ListOperators': MANAGE_OPERATORS,
  'OperatorService.CreateOperator': MANAGE_OPERATORS,
  'OperatorService.SetOperatorRole': MANAGE_OPERATORS,
  'OperatorService.DisableOperator': MANAGE_OPERATORS,
  'OperatorService.EnableOperator': MANAGE_OPERATORS,
  'OperatorService.CreateSignInLink': MANAGE_OPERATORS,
  'ApprovalService.ListApprovals': MANAGE_APPROVALS,
  'ApprovalService.ApproveChange': MANAGE_APPROVALS,
  'ApprovalService.RefuseChange': MANAGE_APPROVALS,
  'AuditService.ListAuditEntries': { scope: 'audit:read' },
  'OverviewService.GetSituation': { scope: 'payments:read' },
  'OverviewService.GetTraffic': { scope: 'payments:read' },
  'PayerService.ErasePayer': { scope: 'payers:manage' },
  'PayerService.ExportPayer': { scope: 'payers:manage' },
  'StatementService.UploadStatementPart': MANAGE_STATEMENTS,
  'StatementService.ImportStatement': MANAGE_STATEMENTS,
  'StatementService.ListStatements': MANAGE_STATEMENTS,
  'StatementService.GetStatement': MANAGE_STATEMENTS,
  'StatementService.ListStatementExceptions': MANAGE_STATEMENTS,
  'StatementService.AcknowledgeStatementExceptions': MANAGE_STATEMENTS,
  'StatementService.GetTotals': MANAGE_STATEMENTS,
  'StatusService.GetStatus': { scope: null },
}

/** Who may call a route: everybody, or partners; `own`, `other`: the status that its and another partner see. */
type Route = {
  partners?: { own?: number; other: number }
  body?: string
  path?: (ours: bigint) => string
}

const EVERYBODY: Route = {}

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /healthz': EVERYBODY,
  'GET /docs': EVERYBODY,
  'GET /docs/reference-:digest.js': { ...EVERYBODY, path: () => script },
  'GET /docs/guide': EVERYBODY,
  'GET /docs/guide.md': EVERYBODY,
  'GET /docs/simulator': EVERYBODY,
  'GET /llms.txt': EVERYBODY,
  'GET /docs/verify/:name': { ...EVERYBODY, path: () => '/docs/verify/verify.py' },
  'GET /api/v1/openapi.json': EVERYBODY,
  'GET /api/v1/status': EVERYBODY,
  // Daraja cannot prove who it is: what anybody sends is kept, and believed by its token only.
  'POST /callbacks/stk/:token': { body: '{}' },
  'POST /api/v1/mpesa/stk_push': { partners: { other: 200 }, body: paymentBody() },
  'GET /api/v1/mpesa/transactions': { partners: { other: 200 } },
  'GET /api/v1/mpesa/transactions/:transaction_id': {
    partners: { other: 404 },
    path: (ours) => `/api/v1/mpesa/transactions/${ours}`,
  },
  'GET /api/v1/mpesa/transactions/:transaction_id/deliveries': {
    partners: { other: 404 },
    path: (ours) => `/api/v1/mpesa/transactions/${ours}/deliveries`,
  },
  'POST /api/v1/mpesa/transactions/:transaction_id/cancel': {
    partners: { own: 202, other: 404 },
    path: (ours) => `/api/v1/mpesa/transactions/${ours}/cancel`,
  },
  // Cancelled before, by its partner: that is an outcome.
  'POST /api/v1/mpesa/transactions/:transaction_id/resend': {
    partners: { own: 202, other: 404 },
    path: (ours) => `/api/v1/mpesa/transactions/${ours}/resend`,
  },
  'POST /api/v1/mpesa/transactions/resend': { partners: { own: 202, other: 202 }, body: '{}' },
}

type Method = DescMethodUnary | DescMethodServerStreaming

const isServed = (method: DescMethod): method is Method =>
  method.methodKind === 'unary' || method.methodKind === 'server_streaming'

/** Every method of every service of the contract, by `Service.Method`. */
const findMethods = async (): Promise<Map<string, Method>> => {
  const folder = join(import.meta.dirname, '../../src/gen/mpesa/gateway/v1')
  const methods = new Map<string, Method>()
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.js'))) {
    const exports: object = await import(join(folder, file))
    const services = Object.values(exports).filter(
      (one: { kind?: string }): one is DescService => one.kind === 'service',
    )
    for (const method of services.flatMap((service) => service.methods)) {
      if (isServed(method)) methods.set(`${method.parent.name}.${method.name}`, method)
    }
  }
  return methods
}

const METHODS_OF_CONTRACT = await findMethods()

/** What a caller of a method is to meet. */
const expectedOf = (caller: string, { scope, partners }: Access): string => {
  if (caller === scope || scope === null) return 'in'
  if (SCOPES.some((other) => other === caller) || caller === 'revoked token') return 'PermissionDenied'
  if (!partners) return 'Unauthenticated'
  if (caller === 'own partner') return 'in'
  if (caller === 'other partner') return partners.other
  return ['revoked key', 'expired key', 'disabled partner'].includes(caller)
    ? 'PermissionDenied'
    : 'Unauthenticated'
}

/** The status that a caller of a route is to meet; a service's token is no key. */
const statusOf = (caller: string, { partners }: Route): number => {
  if (!partners) return 200
  if (caller === 'own partner') return partners.own ?? 200
  if (caller === 'other partner') return partners.other
  return ['revoked key', 'expired key', 'disabled partner'].includes(caller) ? 403 : 401
}

let test: TestFacade
let grpc: GrpcServer
let connect: ConnectServer
/** What a caller trusts, and with what one who is let in at all proves who it is. */
let ca: string
let certified: Record<string, Transport>
let callers: Record<string, Record<string, string>>
let ours: bigint
/** Where the reference has its script. */
let script: string

beforeAll(async () => {
  test = await openFacade()
  script = `/${/docs\/reference-\w+\.js/.exec((await ask(test, 'GET /docs')).body)?.[0]}`
  const authority = await createAuthority()
  ca = authority.cert
  const own = await authority.issue({ hosts: ['127.0.0.1'] })
  const tls = {
    cert: Buffer.from(own.cert),
    key: Buffer.from(own.key),
    clientCa: Buffer.from(authority.cert),
  }
  const options = { services: test.core.services, host: '127.0.0.1', port: 0, tls }
  grpc = await startGrpcServer(options)
  connect = await startConnectServer(options)
  certified = openTransports(await authority.issue({ hosts: [] }))
  callers = await makeCallers(test)
  ours = await acceptUntouched(test.database, test.partnerId)
})
afterAll(async () => {
  await grpc.close()
  await connect.close()
  await test.stop()
})

/** The servers as they are in production: with TLS, and a certificate asked of every caller. */
const openTransports = (own?: Certificate): Record<string, Transport> => {
  const nodeOptions = { ca, ...own }
  return {
    gRPC: createGrpcTransport({ baseUrl: `https://127.0.0.1:${grpc.port}`, nodeOptions }),
    Connect: createConnectTransport({
      baseUrl: `https://127.0.0.1:${connect.port}`,
      httpVersion: '1.1',
      nodeOptions,
    }),
  }
}

type Outcome = { outcome: string; why: string }

const LET_IN = new Set([Code.InvalidArgument, Code.FailedPrecondition, Code.NotFound])

/** `in` for whoever was let in, though the request may be wrong; else the code that it was refused with. */
const call = async (
  transport: Transport,
  name: string,
  headers: Record<string, string>,
): Promise<Outcome> => {
  const method = METHODS_OF_CONTRACT.get(name)
  if (!method) throw new Error(`no method ${name}`)
  const { request = () => ({}), partners } = METHODS[name] ?? {}
  try {
    if (method.methodKind === 'unary')
      await transport.unary(method, undefined, 30_000, headers, request(ours))
    else await begin(transport, method, headers, request(ours))
    return { outcome: 'in', why: '' }
  } catch (reason) {
    const error = ConnectError.from(reason)
    // Whoever was let in may be told that it cannot be done; that a payment is not there tells a stranger from its partner.
    const isIn = error.code === Code.FailedPrecondition || (LET_IN.has(error.code) && partners === undefined)
    return { outcome: isIn ? 'in' : (Code[error.code] ?? ''), why: error.rawMessage }
  }
}

/** Resolves with the first message of a stream, and ends it. */
const begin = async (
  transport: Transport,
  method: DescMethodServerStreaming,
  headers: Record<string, string>,
  request: object,
): Promise<unknown> => {
  const abort = new AbortController()
  async function* once() {
    yield { ...request }
  }
  try {
    const { message } = await transport.stream(method, abort.signal, 30_000, headers, once())
    return await message[Symbol.asyncIterator]().next()
  } finally {
    abort.abort()
  }
}

/** The routes of Fastify's tree, four characters a level, as `GET /path`. */
const routesIn = (tree: string): string[] => {
  const above: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, branch = '', part = '', methods = ''] = /^(\W*?)([/.]\S*)(?: \(([^)]+)\))?$/.exec(line) ?? []
    const level = branch.length / 4
    above.splice(level - 1, above.length, part)
    const path = above.join('')
    const names = methods.split(', ').filter((name) => name !== '' && name !== 'HEAD')
    return names.map((name) => `${name} ${path}`)
  })
}

it('of every method and every route it is said who may call it, and of nothing else', async () => {
  expect(Object.keys(METHODS).toSorted()).toEqual([...METHODS_OF_CONTRACT.keys()].toSorted())
  const server = createFacade({
    ...test.clients,
    log: test.options.log,
    randomBytes: test.options.randomBytes,
    publicUrl: 'http://127.0.0.1:8080',
    deliveryScheduleMs: [0],
  })
  await server.ready()
  const routes = routesIn(server.printRoutes({ commonPrefix: false }))
  expect(routes.toSorted()).toEqual(Object.keys(ROUTES).toSorted())
  await server.close()
})

it('every service of the contract is served', () => {
  const served = Object.values(specsOf(test.core.services)).flatMap((spec) =>
    Object.values(spec.methods).map(({ method }) => `${method.parent.name}.${method.name}`),
  )
  expect(served.toSorted()).toEqual([...METHODS_OF_CONTRACT.keys()].toSorted())
})

describe.each(['gRPC', 'Connect'])('through %s', (name) => {
  it.each(Object.keys(METHODS))(
    '%s lets in whom it should, and answers all others why not',
    async (method) => {
      const transport = certified[name]
      const access = METHODS[method]
      if (!transport || !access) throw new Error('no such transport')
      const met: Record<string, string> = {}
      for (const [caller, headers] of Object.entries(callers)) {
        const { outcome, why } = await call(transport, method, headers)
        met[caller] = outcome
        if (outcome !== 'in')
          expect(why).toMatch(/missing|unknown|revoked|expired|disabled|lacks the scope|no such/)
      }
      expect(met).toEqual(
        Object.fromEntries(Object.keys(callers).map((caller) => [caller, expectedOf(caller, access)])),
      )
    },
  )

  it.each(Object.keys(METHODS))('%s is out of reach without a client certificate', async (method) => {
    const transport = openTransports()[name]
    const access = METHODS[method]
    if (!transport || !access) throw new Error('no such transport')
    const { outcome } = await call(
      transport,
      method,
      access.scope === null ? {} : (callers[access.scope] ?? {}),
    )
    expect(outcome).toMatch(/^(?:Unavailable|Internal|Unknown|Canceled|Aborted)$/)
  })
})

it.each(Object.entries(ROUTES))(
  '%s answers whom it should, and tells all others why not',
  async (route, access) => {
    const [method, pattern = ''] = route.split(' ')
    const path = access.path?.(ours) ?? pattern.replace(':token', 'unknown')
    const met: Record<string, number> = {}
    for (const [caller, headers] of Object.entries(callers)) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
      if (access.body !== undefined) lines.push('Content-Type: application/json')
      const answer = await ask(test, `${method} ${path}`, lines, access.body)
      met[caller] = answer.status
      if (answer.status >= 400)
        expect(JSON.parse(answer.body)).toMatchObject({ status: 'error', message: expect.any(String) })
    }
    expect(met).toEqual(
      Object.fromEntries(Object.keys(callers).map((caller) => [caller, statusOf(caller, access)])),
    )
  },
)
