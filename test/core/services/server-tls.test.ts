import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { type Authority, type Certificate, createAuthority } from '../../support/certificates.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'

describe('servers with TLS and client certificates', () => {
  let test: TestCore
  let authority: Authority
  let grpc: GrpcServer
  let connect: ConnectServer
  beforeAll(async () => {
    test = await startTestCore()
    authority = await createAuthority()
    const own = await authority.issue({ hosts: ['localhost', '127.0.0.1'] })
    const options = {
      services: test.core.services,
      host: '127.0.0.1',
      port: 0,
      tls: { cert: Buffer.from(own.cert), key: Buffer.from(own.key), clientCa: Buffer.from(authority.cert) },
    }
    grpc = await startGrpcServer(options)
    connect = await startConnectServer(options)
  })
  afterAll(async () => {
    await grpc.close()
    await connect.close()
    await test.stop()
  })

  const through = (protocol: string, certificate: Certificate | null, scheme = 'https'): Transport => {
    const nodeOptions = { ca: authority.cert, ...certificate }
    return protocol === 'gRPC'
      ? createGrpcTransport({ baseUrl: `${scheme}://127.0.0.1:${grpc.port}`, nodeOptions })
      : createConnectTransport({
          baseUrl: `${scheme}://127.0.0.1:${connect.port}`,
          httpVersion: '1.1',
          ...(scheme === 'https' && { nodeOptions }),
        })
  }

  const ask = (transport: Transport) =>
    createClient(PaymentService, transport).listPayments({}, { headers: test.headers, timeoutMs: 20_000 })

  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => 'answered',
      (error: unknown) => Code[ConnectError.from(error).code],
    )

  describe.each(['gRPC', 'Connect'])('%s', (protocol) => {
    it('lets in a caller with a certificate of the authority, and a key', async () => {
      const certificate = await authority.issue({ hosts: [] })
      expect(await codeOf(ask(through(protocol, certificate)))).toBe('answered')
    })

    it('a certificate is no key', async () => {
      const certificate = await authority.issue({ hosts: [] })
      const payments = createClient(PaymentService, through(protocol, certificate))
      expect(await codeOf(payments.listPayments({}))).toBe('Unauthenticated')
    })

    it('refuses a caller without a certificate, or with another authority’s, and plaintext', async () => {
      const stranger = await (await createAuthority()).issue({ hosts: [] })
      expect(await codeOf(ask(through(protocol, null)))).not.toBe('answered')
      expect(await codeOf(ask(through(protocol, stranger)))).not.toBe('answered')
      expect(await codeOf(ask(through(protocol, null, 'http')))).not.toBe('answered')
    })
  })
})
