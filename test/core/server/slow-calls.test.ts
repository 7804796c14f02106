import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startConnectServer } from '../../../src/core/server/connect.ts'
import { startGrpcServer } from '../../../src/core/server/grpc.ts'
import { PaymentEventService } from '../../../src/gen/mpesa/gateway/v1/payment_events_pb.js'
import { CONNECTION_LIMITS, type CutReason } from '../../../src/runtime/connection-guard.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'

// Over HTTP/2 one connection carries many calls: a slow one must not hold memory for as long as its connection lives.

/** So soon that a test sees it, ms. */
const SOON_MS = 500

const LIST = '/mpesa.gateway.v1.PaymentService/ListPayments'

/** A message without a field, as gRPC frames it; and the beginning of a long one. */
const EMPTY = Buffer.alloc(5)
const LONG = Buffer.from([0, 0, 1, 0, 0])

type Door = {
  start: typeof startGrpcServer
  type: string
  /** The beginning of a request that does not come whole, a whole one, and the answer to that. */
  beginning: Buffer
  whole: Buffer
  answer: Buffer
}

const NATIVE: Door = {
  start: startGrpcServer,
  type: 'application/grpc',
  beginning: LONG,
  whole: EMPTY,
  answer: EMPTY,
}
const CONNECT: Door = {
  start: startConnectServer,
  type: 'application/json',
  beginning: Buffer.from('{'),
  whole: Buffer.from('{}'),
  answer: Buffer.from('{}'),
}

let test: TestCore
beforeAll(async () => {
  test = await startTestCore()
})
afterAll(() => test.stop())

let closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  closing = []
})

const openDoor = async ({ start }: Door) => {
  const cuts: CutReason[] = []
  const server = await start({
    services: test.core.services,
    host: '127.0.0.1',
    port: 0,
    limits: { ...CONNECTION_LIMITS, headersTimeoutMs: SOON_MS, requestTimeoutMs: SOON_MS, checkEveryMs: 50 },
    onCut: (reason) => cuts.push(reason),
  })
  closing.push(() => server.close())
  return { cuts, baseUrl: `http://127.0.0.1:${server.port}` }
}

const dial = async (
  baseUrl: string,
  settings: { initialWindowSize?: number } = {},
): Promise<ClientHttp2Session> => {
  const session = connect(baseUrl, { settings })
  closing.push(() => session.destroy())
  await once(session, 'connect')
  return session
}

const begin = (over: ClientHttp2Session, { type }: Door): ClientHttp2Stream =>
  over
    .request({ ':method': 'POST', ':path': LIST, 'content-type': type, te: 'trailers', ...test.headers })
    .on('error', () => undefined)

const answerTo = async (call: ClientHttp2Stream, { whole }: Door): Promise<Buffer> => {
  call.end(whole)
  return Buffer.concat(await Array.fromAsync(call))
}

describe.each([
  ['native gRPC', NATIVE],
  ['the port of Connect', CONNECT],
] as const)('over HTTP/2, on %s', (_name, door) => {
  it('calls whose request does not come whole are ended in time, and others on their connection served', async () => {
    const { baseUrl, cuts } = await openDoor(door)
    const over = await dial(baseUrl)
    const [silent, dripping] = [begin(over, door), begin(over, door)]
    silent.write(door.beginning)
    dripping.write(door.beginning)
    const drip = setInterval(() => dripping.write(' '), SOON_MS / 10)
    expect(await answerTo(begin(over, door), door)).toEqual(door.answer)
    await eventually(() => expect([silent.closed, dripping.closed]).toEqual([true, true]))
    clearInterval(drip)
    expect([silent.rstCode, dripping.rstCode]).toEqual([constants.NGHTTP2_CANCEL, constants.NGHTTP2_CANCEL])
    expect(cuts).toEqual(['sender', 'sender'])
    expect(await answerTo(begin(over, door), door)).toEqual(door.answer)
  })

  it('a stream of events, whose request has come whole, goes on', async () => {
    const { baseUrl, cuts } = await openDoor(door)
    const transport =
      door === NATIVE
        ? createGrpcTransport({ baseUrl })
        : createConnectTransport({ baseUrl, httpVersion: '2' })
    const events = createClient(PaymentEventService, transport)
    let beats = 0
    for await (const _message of events.watchPayments({ heartbeatSeconds: 1 }, { headers: test.headers }))
      if (++beats === 3) break
    expect(cuts).toEqual([])
  })
})

it('on the port of Connect a call whose answer is not taken is ended in time', async () => {
  const { baseUrl, cuts } = await openDoor(CONNECT)
  const call = begin(await dial(baseUrl, { initialWindowSize: 0 }), CONNECT)
  call.end(CONNECT.whole)
  await eventually(() => expect(call.closed).toBe(true))
  expect(cuts).toEqual(['reader'])
})
