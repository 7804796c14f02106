import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import {
  credentials,
  Client as GrpcClient,
  Metadata,
  makeClientConstructor,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { createHealth, type Health } from '../../../src/core/server/health.ts'
import { createReflection } from '../../../src/core/server/reflection.ts'
import { servicesOf } from '../../../src/core/server/services.ts'
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../../../src/gen/grpc/reflection/v1/reflection_pb.js'
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from '../../../src/gen/health/v1/health_pb.js'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { startTestCore, type TestCore } from '../../support/core.ts'

// What clients of gRPC expect of any server: health, reflection, and every protocol on the port that says it speaks it.

const PAYMENTS = 'mpesa.gateway.v1.PaymentService'

let test: TestCore
let health: Health
let grpc: GrpcServer
let connect: ConnectServer
beforeAll(async () => {
  test = await startTestCore()
  const { services } = test.core
  const described = servicesOf(services)
  health = createHealth(described.map(({ typeName }) => typeName))
  const protocols = { health, reflection: await createReflection(described) }
  grpc = await startGrpcServer({ services, protocols, host: '127.0.0.1', port: 0 })
  connect = await startConnectServer({ services, protocols, host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  health.endWatches()
  await grpc.close()
  await connect.close()
  await test.stop()
})

const grpcUrl = (): string => `http://127.0.0.1:${grpc.port}`
const connectUrl = (): string => `http://127.0.0.1:${connect.port}`

const TRANSPORTS: Record<string, () => Transport> = {
  'gRPC on its own port': () => createGrpcTransport({ baseUrl: grpcUrl() }),
  'gRPC on the port of Connect': () => createGrpcTransport({ baseUrl: connectUrl() }),
  'Connect over HTTP/1.1': () => createConnectTransport({ baseUrl: connectUrl(), httpVersion: '1.1' }),
  'Connect over HTTP/2': () => createConnectTransport({ baseUrl: connectUrl(), httpVersion: '2' }),
  'gRPC-Web over HTTP/1.1': () => createGrpcWebTransport({ baseUrl: connectUrl(), httpVersion: '1.1' }),
  'gRPC-Web over HTTP/2': () => createGrpcWebTransport({ baseUrl: connectUrl(), httpVersion: '2' }),
}

describe.each(Object.entries(TRANSPORTS))('%s', (_name, open) => {
  it('carries a call', async () => {
    const page = await createClient(PaymentService, open()).listPayments({}, { headers: test.headers })
    expect(page.payments).toEqual([])
  })

  it('tells the health of the process and of each service, and of no other', async () => {
    const client = createClient(HealthService, open())
    health.set(PAYMENTS, true)
    expect((await client.check({ service: PAYMENTS })).status).toBe(Status.SERVING)
    expect((await client.check({})).status).toBe(Status.NOT_SERVING)
    const refusalOf = (service: string) =>
      client.check({ service }).catch((error: unknown) => ConnectError.from(error))
    expect(await refusalOf('none')).toMatchObject({ code: Code.NotFound })
    expect(await refusalOf('n'.repeat(100_000))).toMatchObject({
      code: Code.NotFound,
      rawMessage: `there is no service ${'n'.repeat(100)}`,
    })
    expect(Object.keys((await client.list({})).statuses)).toContain(PAYMENTS)
  })

  it('tells whoever watches of each change', async () => {
    const client = createClient(HealthService, open())
    health.set(PAYMENTS, false)
    const seen: Status[] = []
    for await (const { status } of client.watch({ service: PAYMENTS })) {
      seen.push(status)
      if (seen.length === 3) break
      health.set(PAYMENTS, status !== Status.SERVING)
    }
    expect(seen).toEqual([Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING])
  })
})

it('tells as many as watch, and Node warns of nothing', async () => {
  const warnings: string[] = []
  const keep = ({ name }: Error): void => void warnings.push(name)
  process.on('warning', keep)
  const leave = new AbortController()
  const client = createClient(HealthService, createGrpcTransport({ baseUrl: connectUrl() }))
  const watched = Array.from({ length: 12 }, () =>
    client.watch({}, { signal: leave.signal })[Symbol.asyncIterator](),
  )
  const first = await Promise.all(watched.map((one) => one.next()))
  expect(first.map(({ value }) => value?.status)).toEqual(watched.map(() => Status.NOT_SERVING))
  expect(warnings).not.toContain('MaxListenersExceededWarning')
  process.off('warning', keep)
  leave.abort()
})

describe('buf curl knows the contract by reflection', () => {
  it.each([
    ['gRPC on its own port', ['--protocol', 'grpc', '--http2-prior-knowledge'], grpcUrl],
    ['gRPC on the port of Connect', ['--protocol', 'grpc', '--http2-prior-knowledge'], connectUrl],
    ['Connect', ['--protocol', 'connect', '--http2-prior-knowledge'], connectUrl],
    ['gRPC-Web', ['--protocol', 'grpcweb', '--http2-prior-knowledge'], connectUrl],
  ])('%s', async (_name, options, url) => {
    const buf = join(import.meta.dirname, '../../../node_modules/.bin/buf')
    const header = `x-api-key: ${test.apiKey}`
    const method = `${url()}/${PAYMENTS}/ListPayments`
    const { stdout } = await promisify(execFile)(buf, [
      'curl',
      ...options,
      '--header',
      header,
      '--data',
      '{"pageSize":1}',
      method,
    ])
    expect(JSON.parse(stdout)).toEqual({})
  })
})

/** The files that a server says a symbol stands in, asked for with `grpc-js` alone. */
const reflect = (address: string, symbol: string): Promise<Uint8Array[]> => {
  const client = new GrpcClient(address, credentials.createInsecure())
  const call = client.makeBidiStreamRequest(
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    (request: ServerReflectionRequest) => Buffer.from(toBinary(ServerReflectionRequestSchema, request)),
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
  )
  return new Promise((resolve, reject) => {
    call.on('error', reject)
    call.on('data', ({ messageResponse }: ServerReflectionResponse) => {
      if (messageResponse.case === 'fileDescriptorResponse')
        resolve(messageResponse.value.fileDescriptorProto)
      else reject(new Error(`answered with ${messageResponse.case}`))
      call.end()
      client.close()
    })
    call.write(
      create(ServerReflectionRequestSchema, {
        messageRequest: { case: 'fileContainingSymbol', value: symbol },
      }),
    )
  })
}

describe('a client of grpc-js knows the contract by reflection', () => {
  it.each([
    ['its own port', () => grpc.port],
    ['the port of Connect', () => connect.port],
  ])('on %s', async (_name, port) => {
    const address = `127.0.0.1:${port()}`
    const files = await reflect(address, PAYMENTS)
    const file = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
    const set = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }))
    const service = loadFileDescriptorSetFromBuffer(Buffer.from(set))[PAYMENTS]
    const Client = makeClientConstructor(service as ServiceDefinition, 'PaymentService')
    const client = new Client(address, credentials.createInsecure())
    const metadata = new Metadata()
    metadata.set('x-api-key', test.apiKey)
    const answer = await new Promise((resolve, reject) => {
      client['ListPayments']?.({ pageSize: 1 }, metadata, (error: Error | null, page: unknown) =>
        error ? reject(error) : resolve(page),
      )
    })
    client.close()
    expect(answer).toEqual({})
  })
})

it('reflection answers about what is not there with an error, and lists the services that are', async () => {
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: connectUrl() }))
  const ask = async function* () {
    yield { messageRequest: { case: 'fileContainingSymbol' as const, value: 'no.such.Service' } }
    yield { messageRequest: { case: 'listServices' as const, value: '*' } }
  }
  const [unknown, listed] = await Array.fromAsync(client.serverReflectionInfo(ask()))
  expect(unknown?.messageResponse).toMatchObject({
    case: 'errorResponse',
    value: { errorCode: Code.NotFound },
  })
  const services =
    listed?.messageResponse.case === 'listServicesResponse' ? listed.messageResponse.value.service : []
  expect(services.map(({ name }) => name).toSorted()).toEqual(
    servicesOf(test.core.services)
      .map(({ typeName }) => typeName)
      .toSorted(),
  )
})

describe('Connect refuses in words', () => {
  const ask = (path: string, init: RequestInit): Promise<Response> => fetch(`${connectUrl()}${path}`, init)
  const json = { 'content-type': 'application/json' }

  it.each([
    ['a path of no method', '/nothing', { method: 'POST', headers: json, body: '{}' }, 404],
    ['a GET of what changes something', `/${PAYMENTS}/RequestPayment`, { method: 'GET' }, 405],
    [
      'a content type that it does not speak',
      `/${PAYMENTS}/ListPayments`,
      { method: 'POST', body: 'x' },
      415,
    ],
  ])('%s', async (_what, path, init, status) => {
    const answer = await ask(path, init)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toEqual({ code: 'unimplemented', message: expect.stringMatching(/\w+/) })
  })

  it('a name in JSON that the message does not have', async () => {
    const body = '{"referenec":"INV-345"}'
    const answer = await ask(`/${PAYMENTS}/ListPayments`, {
      method: 'POST',
      headers: { ...json, ...test.headers },
      body,
    })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('key "referenec" is unknown'),
      details: [{ type: 'google.rpc.ErrorInfo', debug: { reason: 'REQUEST_NOT_DECODED' } }],
    })
  })

  it.each([
    [`${PAYMENTS}/ListPayments`, '{"pageSize":1}', {}],
    ['mpesa.gateway.v1.PaymentEventService/ListPaymentEvents', '{}', { cursor: expect.any(String) }],
  ])('and takes a GET of what only reads: %s', async (method, message, expected) => {
    const query = new URLSearchParams({ connect: 'v1', encoding: 'json', message })
    const answer = await ask(`/${method}?${query.toString()}`, { headers: test.headers })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual(expected)
  })
})
