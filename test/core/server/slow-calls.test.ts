import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../../src/core/server/connect.ts'
import { PaymentEventService } from '../../../src/gen/mpesa/gateway/v1/payment_events_pb.js'
import { CONNECTION_LIMITS, type CutReason } from '../../../src/runtime/connection-guard.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'

// Over HTTP/2 one connection carries many calls: a slow one must not hold memory for as long as its connection lives.

/** So soon that a test sees it, ms. */
const SOON_MS = 500

const LIST = '/mpesa.gateway.v1.PaymentService/ListPayments'

let test: TestCore
let server: ConnectServer
let session: ClientHttp2Session | undefined
const cuts: CutReason[] = []

beforeAll(async () => {
  test = await startTestCore()
  server = await startConnectServer({
    services: test.core.services,
    host: '127.0.0.1',
    port: 0,
    limits: { ...CONNECTION_LIMITS, headersTimeoutMs: SOON_MS, requestTimeoutMs: SOON_MS, checkEveryMs: 50 },
    onCut: (reason) => cuts.push(reason),
  })
})
afterAll(async () => {
  await server.close()
  await test.stop()
})
afterEach(() => {
  session?.destroy()
  cuts.length = 0
})

const baseUrl = (): string => `http://127.0.0.1:${server.port}`

const open = async (settings: { initialWindowSize?: number } = {}): Promise<ClientHttp2Session> => {
  session = connect(baseUrl(), { settings })
  await once(session, 'connect')
  return session
}

const begin = (over: ClientHttp2Session): ClientHttp2Stream =>
  over
    .request({
      ':method': 'POST',
      ':path': LIST,
      'content-type': 'application/json',
      ...test.headers,
    })
    .on('error', () => undefined)

const answerTo = async (call: ClientHttp2Stream): Promise<string> => {
  call.end('{}')
  return Buffer.concat(await Array.fromAsync(call)).toString()
}

describe('over HTTP/2 on the port of Connect', () => {
  it('calls whose request does not come whole are ended in time, and others on their connection served', async () => {
    const over = await open()
    const [silent, dripping] = [begin(over), begin(over)]
    const drip = setInterval(() => dripping.write(' '), SOON_MS / 10)
    silent.write('{')
    expect(await answerTo(begin(over))).toBe('{}')
    await eventually(() => expect([silent.closed, dripping.closed]).toEqual([true, true]))
    clearInterval(drip)
    expect([silent.rstCode, dripping.rstCode]).toEqual([constants.NGHTTP2_CANCEL, constants.NGHTTP2_CANCEL])
    expect(cuts).toEqual(['sender', 'sender'])
    expect(await answerTo(begin(over))).toBe('{}')
  })

  it('a call whose answer is not taken is ended in time', async () => {
    const over = await open({ initialWindowSize: 0 })
    const call = begin(over)
    call.end('{}')
    await eventually(() => expect(call.closed).toBe(true))
    expect(cuts).toEqual(['reader'])
  })

  it('a stream of events, whose request has come whole, goes on', async () => {
    const transport = createConnectTransport({ baseUrl: baseUrl(), httpVersion: '2' })
    const watched = createClient(PaymentEventService, transport).watchPayments(
      { heartbeatSeconds: 1 },
      { headers: test.headers },
    )
    let beats = 0
    for await (const _message of watched) if (++beats === 3) break
    expect(beats).toBe(3)
    expect(cuts).toEqual([])
  })
})
