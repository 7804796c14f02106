import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../src/core/server/connect.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { type OperationsServer, startOperationsServer } from '../../src/runtime/operations-server.ts'
import {
  countPayments,
  exchange,
  openFacade,
  parseAnswers,
  paymentBody,
  STK_PUSH,
  type TestFacade,
} from '../facade/harness.ts'
import { quietLog } from '../support/quiet-log.ts'

let test: TestFacade
let connect: ConnectServer
let operations: OperationsServer
beforeAll(async () => {
  test = await openFacade()
  connect = await startConnectServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
  operations = await startOperationsServer({
    host: '127.0.0.1',
    port: 0,
    registry: createMetrics(),
    readiness: () => Promise.resolve({ ready: true, parts: {} }),
    log: quietLog,
  })
})
afterAll(async () => {
  await operations.close()
  await connect.close()
  await test.stop()
})

type Listener = { port: number; path: string; body: string }

const listenerOf = (name: string): Listener => {
  const msisdn = '254700000022'
  const callbackUrl = 'https://yourapp.example.com/callback'
  switch (name) {
    case 'REST':
      return { port: test.httpPort, path: STK_PUSH, body: paymentBody() }
    case 'callbacks':
      return { port: test.httpPort, path: '/callbacks/stk/zzz', body: '{}' }
    case 'Connect':
      return {
        port: connect.port,
        path: '/mpesa.gateway.v1.PaymentService/RequestPayment',
        body: JSON.stringify({ msisdn, amountKes: 150, callbackUrl }),
      }
    default:
      return { port: Number(new URL(operations.url).port), path: '/healthz', body: '' }
  }
}

const chunked = (body: string): string =>
  body === '' ? '0\r\n\r\n' : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`

/** A request in the bytes that we mean; it asks that the connection stay open. */
const bytesOf = (
  listener: Listener,
  version: string,
  hosts: readonly string[],
  framing: string,
  method = 'POST',
): string => {
  const lines = [
    `${method} ${listener.path} HTTP/${version}`,
    ...hosts.map((host) => `Host: ${host}`),
    'Connection: keep-alive',
    `X-API-KEY: ${test.apiKey}`,
    'Content-Type: application/json',
    framing === '' ? `Content-Length: ${listener.body.length}` : framing,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${framing === '' ? listener.body : chunked(listener.body)}`
}

describe.each(['REST', 'callbacks', 'Connect', 'operations'])(
  '%s refuses, and ends the connection of',
  (name) => {
    it.each([
      ['HTTP/1.0 with a body in chunks', '1.0', ['gateway'], 'Transfer-Encoding: chunked'],
      ['a coding that is not chunked alone', '1.1', ['gateway'], 'Transfer-Encoding: gzip, chunked'],
      ['two Host lines', '1.1', ['gateway', 'other'], ''],
      ['one Host line twice', '1.1', ['gateway', 'gateway'], ''],
      ['two Host lines in HTTP/1.0', '1.0', ['gateway', 'other'], ''],
      ['a list of hosts', '1.1', ['gateway, other'], ''],
      ['a host with a user', '1.1', ['somebody@gateway'], ''],
      ['a host with a path', '1.1', ['gateway/other'], ''],
      ['a host that is none', '1.1', ['['], ''],
      ['a host with half an escape', '1.1', ['gateway%'], ''],
      ['a port that is none', '1.1', ['gateway:99999'], ''],
    ])('%s', async (_what, version, hosts, framing) => {
      const listener = listenerOf(name)
      const method = name === 'operations' ? 'GET' : 'POST'
      // Behind it comes another request, which one reader might take for a part of the first.
      const behind = bytesOf(listener, '1.1', ['gateway'], '', method)
      const before = await countPayments(test)
      const answers = parseAnswers(
        await exchange(listener.port, bytesOf(listener, version, hosts, framing, method) + behind),
      )
      expect(answers.map(({ status }) => status)).toEqual([400])
      expect(answers[0]?.headers['connection']).toBe('close')
      expect(answers[0]?.body).toMatch(/Host|Transfer-Encoding/)
      expect(await countPayments(test)).toBe(before)
    })

    it.each([
      ['HTTP/2.0', ' HTTP/2.0'],
      ['HTTP/0.9', ' HTTP/0.9'],
      ['no version', ''],
    ])('a request line with %s, framed as HTTP/1', async (_what, version) => {
      const listener = listenerOf(name)
      const method = name === 'operations' ? 'GET' : 'POST'
      const sound = bytesOf(listener, '1.1', ['gateway'], '', method)
      const before = await countPayments(test)
      const answers = parseAnswers(await exchange(listener.port, sound.replace(' HTTP/1.1', version) + sound))
      expect(answers).toMatchObject([
        {
          status: 505,
          headers: { connection: 'close' },
          body: expect.stringContaining('must say HTTP/1.1 or HTTP/1.0'),
        },
      ])
      expect(await countPayments(test)).toBe(before)
    })

    it('nothing else: chunks in HTTP/1.1, one Host line, an address with a port', async () => {
      const listener = listenerOf(name)
      const method = name === 'operations' ? 'GET' : 'POST'
      for (const host of ['gateway', '127.0.0.1:8080', '[::1]:8080', 'under_score.svc', '']) {
        const bytes = bytesOf(listener, '1.1', [host], 'Transfer-Encoding: Chunked', method)
        const [answer] = parseAnswers(await exchange(listener.port, bytes.replace('keep-alive', 'close')))
        expect(answer?.status).toBe(200)
      }
      const withoutHost = bytesOf(listener, '1.0', [], '', method).replace('keep-alive', 'close')
      expect(parseAnswers(await exchange(listener.port, withoutHost))[0]?.status).toBe(200)
    })
  },
)

it('a path that nobody can read hides no framing that can be read in two ways', async () => {
  const listener = listenerOf('REST')
  const broken = bytesOf(listener, '1.0', ['gateway'], 'Transfer-Encoding: chunked').replace(STK_PUSH, '/%zz')
  const behind = bytesOf(listener, '1.1', ['gateway'], '')
  const before = await countPayments(test)
  const answers = parseAnswers(await exchange(listener.port, broken + behind))
  expect(answers).toMatchObject([{ status: 400, headers: { connection: 'close' } }])
  expect(await countPayments(test)).toBe(before)
})
