import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startConnectServer } from '../../../src/core/server/connect.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'

const LIST = '/mpesa.gateway.v1.PaymentService/ListPayments'

/** More than is read, and than lies in the buffers between the two. */
const TOO_LARGE = `{"reference":"${'x'.repeat(8 * 1024 * 1024)}"}`

let test: TestCore
let port: number
let close: () => Promise<void>
beforeAll(async () => {
  test = await startTestCore()
  const server = await startConnectServer({ services: test.core.services, host: '127.0.0.1', port: 0 })
  port = server.port
  close = () => server.close()
})
afterAll(async () => {
  await close()
  await test.stop()
})

/** A request as it is sent: with its length before it, or in chunks as clients send what they do not know the length of. */
const callOf = (body: string, { inChunks = false, isLast = false } = {}): string => {
  const headers = {
    ...test.headers,
    host: 'gateway',
    connection: isLast ? 'close' : 'keep-alive',
    'content-type': 'application/json',
    ...(inChunks ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const sent = inChunks ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body
  return `POST ${LIST} HTTP/1.1\r\n${lines.join('')}\r\n${sent}`
}

it.each([
  ['its length is said', false],
  ['it comes in chunks', true],
])(
  'over HTTP/1.1 a call that is too large is refused, and the next one on its connection answered: %s',
  async (_how, inChunks) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.setTimeout(20_000, () => socket.destroy(new Error('nothing came any more')))
    socket.write(callOf(TOO_LARGE, { inChunks }))
    socket.write(callOf('{}', { isLast: true }))
    const answers = await text(socket)
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 429', 'HTTP/1.1 200'])
  },
)
