import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startConnectServer } from '../../../src/core/server/connect.ts'
import { type GrpcServer, startGrpcServer } from '../../../src/core/server/grpc.ts'
import { PaymentService } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type CutReason,
} from '../../../src/runtime/connection-guard.ts'
import { createAuthority } from '../../support/certificates.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'

/** What a client of HTTP/2 says first: the preface, and an empty SETTINGS frame. */
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

/** So soon that a test sees it, ms. */
const SOON_MS = 500

let test: TestCore
let opened: (GrpcServer & { cut: CutReason[] }) | undefined
const clients: Socket[] = []

beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy()
  await opened?.close()
})

const openServer = async (
  limits: Partial<ConnectionLimits>,
  tls: Parameters<typeof startGrpcServer>[0]['tls'] = null,
) => {
  const cut: CutReason[] = []
  const server = await startGrpcServer({
    services: test.core.services,
    host: '127.0.0.1',
    port: 0,
    tls,
    limits: { ...CONNECTION_LIMITS, checkEveryMs: 50, ...limits },
    onCut: (reason) => cut.push(reason),
  })
  opened = { ...server, cut }
  return opened
}

const dial = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  clients.push(socket)
  await once(socket, 'connect')
  return socket
}

/** Reads all that comes, and what a client has to answer: nothing. */
const isOpen = (socket: Socket): boolean => !socket.resume().closed

const openOf = (sockets: readonly Socket[]): number => sockets.filter(isOpen).length

const listPayments = (port: number, scheme = 'http', ca?: string) =>
  createClient(
    PaymentService,
    createGrpcTransport({
      baseUrl: `${scheme}://127.0.0.1:${port}`,
      ...(ca !== undefined && { nodeOptions: { ca } }),
    }),
  ).listPayments({}, { headers: test.headers })

describe('native gRPC', () => {
  it('keeps so many connections of one address open, and reports the others', async () => {
    const { port, cut } = await openServer({ maxPerAddress: 20 })
    const sockets = await Promise.all(Array.from({ length: 60 }, () => dial(port)))
    await eventually(() => expect(openOf(sockets)).toBe(20))
    expect(cut).toEqual(Array.from({ length: 40 }, () => 'address'))
  })

  it('takes others again when they are gone, and serves a client meanwhile', async () => {
    const { port } = await openServer({ maxPerAddress: 20 })
    const sockets = await Promise.all(Array.from({ length: 19 }, () => dial(port)))
    expect((await listPayments(port)).payments).toEqual([])
    for (const socket of sockets) socket.destroy()
    await eventually(async () => {
      const again = await dial(port)
      await eventually(() => expect(openOf([again])).toBe(1))
      expect((await listPayments(port)).payments).toEqual([])
    })
  })

  it('keeps so many connections open in all', async () => {
    const { port, cut } = await openServer({ maxConnections: 10 })
    const sockets = await Promise.all(Array.from({ length: 30 }, () => dial(port)))
    await eventually(() => expect(openOf(sockets)).toBe(10))
    expect(new Set(cut)).toEqual(new Set(['total']))
  })

  it.each([
    ['says nothing', [] as Buffer[]],
    ['says half a preface', [PREFACE.subarray(0, 10)]],
    ['says a preface and no settings', [PREFACE.subarray(0, 24)]],
  ])('cuts who %s in time, and nobody else', async (_what, said) => {
    const { port, cut } = await openServer({ headersTimeoutMs: SOON_MS })
    const honest = await dial(port)
    honest.write(PREFACE)
    const silent = await Promise.all(Array.from({ length: 5 }, () => dial(port)))
    for (const socket of silent) for (const bytes of said) socket.write(bytes)
    await eventually(() => expect(openOf(silent)).toBe(0))
    expect(cut).toEqual(Array.from({ length: 5 }, () => 'sender'))
    expect(openOf([honest])).toBe(1)
  })

  it('cuts who drips its preface, however steadily', async () => {
    const { port } = await openServer({ headersTimeoutMs: SOON_MS })
    const socket = await dial(port)
    let at = 0
    const drip = setInterval(() => {
      socket.write(PREFACE.subarray(at, at + 1))
      at += 1
    }, SOON_MS / 5)
    await eventually(() => expect(openOf([socket])).toBe(0))
    clearInterval(drip)
    expect(at).toBeLessThan(PREFACE.length)
  })
})

describe('with TLS', () => {
  it.each(['gRPC', 'Connect'])('%s cuts who begins no handshake', async (name) => {
    const authority = await createAuthority()
    const own = await authority.issue({ hosts: ['127.0.0.1'] })
    const tls = { cert: Buffer.from(own.cert), key: Buffer.from(own.key), clientCa: null }
    const limits = { ...CONNECTION_LIMITS, headersTimeoutMs: SOON_MS, checkEveryMs: 50 }
    const server = await (name === 'gRPC' ? startGrpcServer : startConnectServer)({
      services: test.core.services,
      host: '127.0.0.1',
      port: 0,
      tls,
      limits,
    })
    const silent = await dial(server.port)
    await eventually(() => expect(openOf([silent])).toBe(0))
    await server.close()
  })

  it('cuts who says nothing after the handshake, and serves who speaks', async () => {
    const authority = await createAuthority()
    const own = await authority.issue({ hosts: ['127.0.0.1'] })
    const tls = { cert: Buffer.from(own.cert), key: Buffer.from(own.key), clientCa: null }
    const { port } = await openServer({ headersTimeoutMs: SOON_MS }, tls)
    const silent = connectTls({ port, host: '127.0.0.1', ca: authority.cert, ALPNProtocols: ['h2'] })
    clients.push(silent.on('error', () => undefined))
    await once(silent, 'secureConnect')
    expect((await listPayments(port, 'https', authority.cert)).payments).toEqual([])
    await eventually(() => expect(openOf([silent])).toBe(0))
  })
})
