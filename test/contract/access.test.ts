import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DescMethodUnary, DescService } from '@bufbuild/protobuf'
import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SCOPES, type Scope } from '../../src/core/partners/service-token.ts'
import { type ConnectServer, startConnectServer } from '../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../src/core/server/grpc.ts'
import { specsOf } from '../../src/core/server/services.ts'
import { createFacade } from '../../src/facade/server.ts'
import { ask, openFacade, paymentBody, type TestFacade } from '../facade/harness.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { paymentRequest } from '../support/requests.ts'
import { makeCallers } from './callers.ts'

// Every method and every route, called by everybody: the rows come from the contract and from the facade itself, so one that
// is new fails here until it is said who may call it.

/** Who may call a method; `other`: what another partner sees of what belongs to the test's partner. */
type Access = { scope: Scope; partners?: { other: 'in' | 'NotFound' }; request?: (ours: bigint) => object }

const MANAGE_PARTNERS: Access = { scope: 'partners:manage' }
const MANAGE_DELIVERIES: Access = { scope: 'deliveries:manage' }

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
}

/** Who may call a route: everybody, or partners; `other`: the status that another partner sees. */
type Route = { partners?: { other: number }; body?: string; path?: (ours: bigint) => string }

const EVERYBODY: Route = {}

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /healthz': EVERYBODY,
  'GET /docs': EVERYBODY,
  'GET /api/v1/openapi.json': EVERYBODY,
  // Daraja cannot prove who it is: what anybody sends is kept, and believed by its token only.
  'POST /callbacks/stk/:token': { body: '{}' },
  'POST /api/v1/mpesa/stk_push': { partners: { other: 200 }, body: paymentBody() },
  'GET /api/v1/mpesa/transactions': { partners: { other: 200 } },
  'GET /api/v1/mpesa/transactions/:transaction_id': {
    partners: { other: 404 },
    path: (ours) => `/api/v1/mpesa/transactions/${ours}`,
  },
}

/** Every unary method of every service of the contract, by `Service.Method`. */
const findMethods = async (): Promise<Map<string, DescMethodUnary>> => {
  const folder = join(import.meta.dirname, '../../src/gen/mpesa/gateway/v1')
  const methods = new Map<string, DescMethodUnary>()
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.js'))) {
    const exports: object = await import(join(folder, file))
    const services = Object.values(exports).filter(
      (one: { kind?: string }): one is DescService => one.kind === 'service',
    )
    for (const method of services.flatMap((service) => service.methods)) {
      if (method.methodKind === 'unary')
        methods.set(`${method.parent.name}.${method.name}`, method as DescMethodUnary)
    }
  }
  return methods
}

const METHODS_OF_CONTRACT = await findMethods()

/** What a caller of a method is to meet. */
const expectedOf = (caller: string, { scope, partners }: Access): string => {
  if (caller === scope) return 'in'
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
  if (!partners || caller === 'own partner') return 200
  if (caller === 'other partner') return partners.other
  return ['revoked key', 'expired key', 'disabled partner'].includes(caller) ? 403 : 401
}

let test: TestFacade
let grpc: GrpcServer
let connect: ConnectServer
let authority: Authority
let callers: Record<string, Record<string, string>>
let ours: bigint

beforeAll(async () => {
  test = await openFacade()
  authority = await createAuthority()
  const own = await authority.issue({ hosts: ['127.0.0.1'] })
  const tls = {
    cert: Buffer.from(own.cert),
    key: Buffer.from(own.key),
    clientCa: Buffer.from(authority.cert),
  }
  const options = { services: test.core.services, host: '127.0.0.1', port: 0, tls }
  grpc = await startGrpcServer(options)
  connect = await startConnectServer(options)
  callers = await makeCallers(test)
  const asked = await test.clients.payments.requestPayment(paymentRequest(), { headers: test.headers })
  ours = asked.paymentId
})
afterAll(async () => {
  await grpc.close()
  await connect.close()
  await test.stop()
})

/** The servers as they are in production: with TLS, and a certificate asked of every caller. */
const openTransports = async (isCertified: boolean): Promise<Record<string, Transport>> => {
  const nodeOptions = { ca: authority.cert, ...(isCertified && (await authority.issue({ hosts: [] }))) }
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
    await transport.unary(method, undefined, 30_000, headers, request(ours))
    return { outcome: 'in', why: '' }
  } catch (reason) {
    const error = ConnectError.from(reason)
    const isIn = LET_IN.has(error.code) && partners === undefined
    return { outcome: isIn ? 'in' : (Code[error.code] ?? ''), why: error.rawMessage }
  }
}

/** The routes of Fastify's tree, four characters a level, as `GET /path`. */
const routesIn = (tree: string): string[] => {
  const above: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, branch = '', part = '', methods = ''] = /^(\W*?)(\/\S*)(?: \(([^)]+)\))?$/.exec(line) ?? []
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
      const transport = (await openTransports(true))[name]
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
    const transport = (await openTransports(false))[name]
    const access = METHODS[method]
    if (!transport || !access) throw new Error('no such transport')
    const { outcome } = await call(transport, method, callers[access.scope] ?? {})
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
