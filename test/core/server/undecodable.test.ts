import { credentials, Client as GrpcClient, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'

const PATH = '/mpesa.gateway.v1.PaymentService/RequestPayment'

let test: TestCore
let connect: ConnectServer
let grpc: GrpcServer
beforeAll(async () => {
  test = await startTestCore()
  const services = { services: test.core.services, host: '127.0.0.1', port: 0 }
  connect = await startConnectServer(services)
  grpc = await startGrpcServer(services)
})
afterAll(async () => {
  await grpc.close()
  await connect.close()
  await test.stop()
})

const askConnect = async (type: string, body: Buffer | string): Promise<{ status: number; code: string }> => {
  const answer = await fetch(`http://127.0.0.1:${connect.port}${PATH}`, {
    method: 'POST',
    headers: { ...test.headers, 'content-type': type },
    body,
  })
  const { code } = (await answer.json()) as { code: string }
  return { status: answer.status, code }
}

const askGrpc = (body: Buffer): Promise<number> => {
  const client = new GrpcClient(`127.0.0.1:${grpc.port}`, credentials.createInsecure())
  const asIs = (bytes: Buffer): Buffer => bytes
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(test.headers)) metadata.set(name, value)
  return new Promise((resolve) => {
    client.makeUnaryRequest(PATH, asIs, asIs, body, metadata, (error) => {
      client.close()
      resolve(error?.code ?? 0)
    })
  })
}

/** Beginnings of groups, one in the other: each byte is one level deeper. */
const DEEP = Buffer.alloc(100_000, 0x7b)

describe('what is no message is a bad request', () => {
  it.each([
    ['groups a hundred thousand deep', DEEP],
    ['a number without end', Buffer.alloc(200, 0x9b)],
    ['a text that is longer than what came', Buffer.from([0x0a, 0x7f, 0x41])],
    ['a text that is no UTF-8', Buffer.from([0x0a, 0x01, 0xff])],
  ])('%s', async (_what, bytes) => {
    expect(await askConnect('application/proto', bytes)).toEqual({ status: 400, code: 'invalid_argument' })
    expect(await askGrpc(bytes)).toBe(3)
  })

  it.each([
    ['arrays where a text belongs', `{"callbackUrl":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
    ['arrays that do not end', '['.repeat(200_000)],
    ['objects under a name that is not known', `${'{"x":'.repeat(40_000)}1${'}'.repeat(40_000)}`],
    ['objects under a name that is known', `${'{"msisdn":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
  ])('JSON: %s', async (_what, body) => {
    expect(await askConnect('application/json', body)).toEqual({ status: 400, code: 'invalid_argument' })
  })
})
