import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerMalformedHttp } from '../../src/facade/malformed-http.ts'
import { startFacade } from '../../src/facade/server.ts'
import {
  countPayments,
  errorBody,
  keptOpen,
  openConnection,
  openFacade,
  parseAnswers,
  readToEnd,
  STK_PUSH,
  type TestFacade,
} from './harness.ts'
import { lockIdempotencyKeys } from './lock.ts'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade()
})
afterAll(() => test.stop())

describe('HTTP that nobody can read', () => {
  it.each([
    ['nonsense', 'nonsense\r\n\r\n', 400, 'the request is not valid HTTP'],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'the request is not valid HTTP'],
    ['a method nobody knows', 'PAY / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'the request is not valid HTTP'],
    [
      'a header with a control character',
      'GET / HTTP/1.1\r\nHost: x\r\nA: \u0001\r\n\r\n',
      400,
      'the request is not valid HTTP',
    ],
    [
      'two lengths',
      `POST ${STK_PUSH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      400,
      'the request is not valid HTTP',
    ],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(17_000)}\r\n\r\n`,
      431,
      'the headers are too large',
    ],
    ['no Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'the header Host is required'],
    [
      'a version that there is none of',
      'GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n',
      505,
      'the request line must say HTTP/1.1 or HTTP/1.0',
    ],
    ['a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'this server is no proxy'],
  ])('%s is answered and its connection ended', async (_what, bytes, status, message) => {
    const { socket, came } = await openConnection(test)
    socket.write(bytes)
    const answers = parseAnswers(await came)
    expect(answers).toEqual([
      {
        status,
        headers: expect.objectContaining({
          'content-type': 'application/json; charset=utf-8',
          'x-request-id': expect.stringMatching(/^[A-Za-z0-9._-]{1,128}$/),
          connection: 'close',
        }),
        body: JSON.stringify({ status: 'error', message }),
      },
    ])
  })

  it('HTTP/1.0 needs no Host', async () => {
    const { socket, came } = await openConnection(test)
    socket.write('GET /healthz HTTP/1.0\r\n\r\n')
    expect(parseAnswers(await came)).toMatchObject([{ status: 200, body: '{"status":"ok"}' }])
  })

  it('behind a payment under way is not taken for its answer: the connection is cut', async () => {
    const { socket, came } = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    socket.write(keptOpen(test, 'pipelined'))
    await lock.untilSomebodyWaits()
    socket.write('nonsense\r\n\r\n')
    expect(await came).toBe('')
    await lock.release()
    const again = await openConnection(test)
    again.socket.write(`${keptOpen(test, 'pipelined')}GET /healthz HTTP/1.0\r\n\r\n`)
    expect(parseAnswers(await again.came)).toMatchObject([
      { status: 200, body: expect.stringContaining('"status":"duplicate"') },
      { status: 200 },
    ])
  })

  it('of another version behind a payment under way is refused after its answer', async () => {
    const { socket, came } = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    socket.write(keptOpen(test, 'before HTTP/2.0'))
    await lock.untilSomebodyWaits()
    socket.write(keptOpen(test, 'of HTTP/2.0').replace('HTTP/1.1', 'HTTP/2.0'))
    await lock.release()
    expect(parseAnswers(await came)).toMatchObject([
      { status: 200, body: expect.stringContaining('"status":"success"') },
      { status: 505 },
    ])
  })

  it('behind a payment under way that ends its connection is not read, and the payment is answered', async () => {
    const before = await countPayments(test)
    const { socket, came } = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    const last = keptOpen(test, 'the last').replace('\r\n', '\r\nConnection: close\r\n')
    socket.write(last)
    await lock.untilSomebodyWaits()
    socket.write(keptOpen(test, 'behind the last'))
    socket.write('nonsense\r\n\r\n')
    await lock.release()
    expect(parseAnswers(await came)).toMatchObject([
      { status: 200, body: expect.stringContaining('"status":"success"') },
    ])
    expect(await countPayments(test)).toBe(before + 1)
  })

  it('a tunnel that is asked for behind a payment under way is not refused in its place: the connection is cut', async () => {
    const { socket, came } = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    socket.write(keptOpen(test, 'before a tunnel'))
    await lock.untilSomebodyWaits()
    socket.write('CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n')
    const answers = await came
    await lock.release()
    expect(answers).toBe('')
  })

  it('is the body of a request that does not say how long it is: its answer says so, and goes out first', async () => {
    const before = await countPayments(test)
    const { socket, came } = await openConnection(test)
    socket.write(keptOpen(test, 'without a length').replace(/Content-Length: \d+\r\n/, ''))
    expect(parseAnswers(await came)).toMatchObject([
      { status: 400, body: errorBody('the body has no length: send it with Content-Length, or in chunks') },
      { status: 400, body: errorBody('the request is not valid HTTP') },
    ])
    expect(await countPayments(test)).toBe(before)
  })

  it('behind what was answered at once, and that behind a payment under way, is no answer to the payment', async () => {
    const { socket, came } = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    socket.write(keptOpen(test, 'before one without a length'))
    await lock.untilSomebodyWaits()
    socket.write(keptOpen(test, 'without a length').replace(/Content-Length: \d+\r\n/, ''))
    expect(await came).toBe('')
    await lock.release()
  })

  it('behind a payment that is asked for after what was answered at once is no answer to the payment', async () => {
    const { socket, came } = await openConnection(test)
    const lock = await lockIdempotencyKeys(test.database)
    const answered = 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(`${answered}${keptOpen(test, 'after what was answered')}nonsense\r\n\r\n`)
    expect(await came).not.toContain('not valid HTTP')
    await lock.release()
  })

  it('after an answer is kept apart from it', async () => {
    const { socket, came } = await openConnection(test)
    socket.write(keptOpen(test, 'first'))
    await once(socket, 'data')
    socket.write('nonsense\r\n\r\n')
    expect(parseAnswers(await came).map((answer) => answer.status)).toEqual([200, 400])
  })
})

it('answers requests of one connection in their order', async () => {
  const { socket, came } = await openConnection(test)
  socket.write(
    `${keptOpen(test, 'a')}${keptOpen(test, 'a')}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  )
  const answers = parseAnswers(await came)
  expect(answers.map((answer) => answer.body.slice(0, 20))).toEqual([
    '{"status":"success",',
    '{"status":"duplicate',
    '{"status":"ok"}',
    '{"status":"error","m',
  ])
})

it('answers a client that has said all it will say', async () => {
  const socket = connect({ port: test.httpPort, host: '127.0.0.1', allowHalfOpen: true })
  const came = readToEnd(socket)
  const lock = await lockIdempotencyKeys(test.database)
  socket.write(keptOpen(test, 'half closed'))
  await lock.untilSomebodyWaits()
  socket.end(keptOpen(test, 'half closed'))
  await once(socket, 'finish')
  await lock.release()
  expect(parseAnswers(await came).map((answer) => answer.body.slice(0, 20))).toEqual([
    '{"status":"success",',
    '{"status":"duplicate',
  ])
})

it('reads to the end of a body that is too large, and the connection stays', async () => {
  const { socket, came } = await openConnection(test)
  const body = 'x'.repeat(1_000_000)
  socket.write(
    `POST ${STK_PUSH} HTTP/1.1\r\nHost: x\r\nX-API-KEY: k\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  )
  expect(parseAnswers(await came).map((answer) => answer.status)).toEqual([413, 200])
})

it('survives a client that leaves in the middle of its body', async () => {
  const before = await countPayments(test)
  const { socket, came } = await openConnection(test)
  socket.write(keptOpen(test, 'gone').slice(0, -10))
  socket.destroy()
  await came
  const next = await openConnection(test)
  next.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(parseAnswers(await next.came)).toMatchObject([{ status: 200 }])
  expect(await countPayments(test)).toBe(before)
})

it('that comes too slowly is answered so', async () => {
  const slow = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
  const server = createServer((socket) => answerMalformedHttp(slow, socket, 'slow-1')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  expect(parseAnswers(await readToEnd(client))).toMatchObject([
    {
      status: 408,
      headers: { 'x-request-id': 'slow-1' },
      body: errorBody('the request took too long to arrive'),
    },
  ])
  server.close()
})

it('is answered under every name of the machine', async () => {
  const { log } = test.options
  const facade = await startFacade({
    ...test.clients,
    log,
    randomBytes,
    publicUrl: 'http://127.0.0.1:8080',
    deliveryScheduleMs: [0],
    host: 'localhost',
    port: 0,
  })
  const { hostname, port } = new URL(facade.url)
  const client = connect(Number(port), hostname.replaceAll(/[[\]]/g, ''))
  client.write('nonsense\r\n\r\n')
  expect(parseAnswers(await readToEnd(client))).toMatchObject([
    { status: 400, body: errorBody('the request is not valid HTTP') },
  ])
  await facade.close()
})
