import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Address, createAddressGuard } from '../../src/dispatcher/guard-address.ts'
import { createPoster, POST_LIMITS, type PostLimits, type PostResult } from '../../src/dispatcher/post.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually } from '../support/eventually.ts'
import { answerWith, type Receiver, startReceiver } from './receiver.ts'

/** For attempts that are to run into them. */
const SHORT: PostLimits = { ...POST_LIMITS, headersMs: 400, totalMs: 800 }
const cleanUp: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step()
})

const receiver = async (): Promise<Receiver> => {
  const started = await startReceiver()
  cleanUp.push(() => started.close())
  return started
}

/** An endpoint that speaks no HTTP of Node's. */
const rawServer = async (onConnection: (socket: Socket) => void): Promise<string> => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUp.push(() => Promise.resolve(server.close()))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `127.0.0.1:${address.port}`
}

type PosterOptions = {
  allowPrivateNetworks?: boolean
  resolve?: () => Promise<Address[]>
  limits?: PostLimits
}

const posterWith = (given: PosterOptions) => {
  const poster = createPoster({
    guard: createAddressGuard({
      allowPrivateNetworks: given.allowPrivateNetworks ?? true,
      resolve: given.resolve ?? (async () => [{ address: '127.0.0.1', family: 4 }]),
      ownAddresses: () => new Set(),
    }),
    limits: given.limits ?? POST_LIMITS,
    clock: systemClock,
    nowMs: () => performance.now(),
  })
  cleanUp.push(() => poster.close())
  return poster
}

const post = (url: string, given: PosterOptions = {}): Promise<PostResult> =>
  posterWith(given).post({
    url,
    headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' },
    body: '{"a":"ä"}',
  })

describe('a POST', () => {
  it('sends headers and body as given, and tells status, address and answer', async () => {
    const { url, received } = await receiver()
    const result = await post(`${url}/hook?x=1#fragment`)
    expect(result).toMatchObject({ status: 200, errorClass: null, address: '127.0.0.1', answer: 'ok' })
    expect(result.durationMs).toBeGreaterThanOrEqual(0)
    expect(received).toHaveLength(1)
    expect(received[0]).toMatchObject({
      method: 'POST',
      path: '/hook?x=1',
      body: '{"a":"ä"}',
      headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1', 'content-length': '10' },
    })
  })

  it.each([201, 204, 299])('counts %d as success', async (status) => {
    const { url, behave } = await receiver()
    behave(answerWith(status, ''))
    expect(await post(url)).toMatchObject({ status, errorClass: null, answer: null })
  })

  it.each([400, 404, 410, 500, 503])('counts %d as failure', async (status) => {
    const { url, behave } = await receiver()
    behave(answerWith(status, 'no'))
    expect(await post(url)).toMatchObject({ status, errorClass: 'status', answer: 'no' })
  })

  it('does not follow a redirect', async () => {
    const elsewhere = await receiver()
    const { url, behave } = await receiver()
    for (const status of [301, 302, 303, 307, 308]) {
      behave(answerWith(status, '', { location: `${elsewhere.url}/login` }))
      expect(await post(url)).toMatchObject({ status, errorClass: 'redirect' })
    }
    expect(elsewhere.received).toHaveLength(0)
  })

  it('reads Retry-After in seconds and as a date', async () => {
    const { url, behave } = await receiver()
    behave(answerWith(503, '', { 'retry-after': '120' }))
    expect(await post(url)).toMatchObject({ retryAfterMs: 120_000 })
    behave(answerWith(429, '', { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }))
    const { retryAfterMs } = await post(url)
    expect(retryAfterMs).toBeGreaterThan(3_590_000)
    expect(retryAfterMs).toBeLessThanOrEqual(3_600_000)
  })

  it('is refused where nobody listens, and tells by whom', async () => {
    const { url, close } = await startReceiver()
    await close()
    expect(await post(url)).toMatchObject({
      status: null,
      errorClass: 'refused',
      address: '127.0.0.1',
      answer: null,
    })
  })

  it('times out when no answer begins', async () => {
    const { url, behave, received } = await receiver()
    behave(() => undefined)
    const result = await post(url, { limits: SHORT })
    expect(result).toMatchObject({ status: null, errorClass: 'timeout', address: '127.0.0.1' })
    expect(received).toHaveLength(1)
  })

  it('times out when headers drip for ever', async () => {
    const host = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('x-a: b\r\n'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    expect(await post(`http://${host}/`, { limits: SHORT })).toMatchObject({
      status: null,
      errorClass: 'timeout',
    })
  })

  it('times out when a body drips for ever, though its status was good', async () => {
    const { url, behave } = await receiver()
    let closed = false
    behave((_received, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => {
        clearInterval(timer)
        closed = true
      })
    })
    const result = await post(url, { limits: SHORT })
    expect(result).toMatchObject({ status: 200, errorClass: 'timeout' })
    expect(result.answer).toMatch(/^\.+$/)
    await eventually(() => expect(closed).toBe(true))
  })

  it('reads no more than 64 kB of an endless body, and counts it as failure', async () => {
    const { url, behave } = await receiver()
    let closed = false
    behave((_received, response) => {
      const flood = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
      }
      response
        .writeHead(200)
        .on('drain', flood)
        .on('close', () => {
          closed = true
        })
      flood()
    })
    const result = await post(url)
    expect(result).toMatchObject({ status: 200, errorClass: 'too_large' })
    expect(result.answer).toHaveLength(4096)
    await eventually(() => expect(closed).toBe(true))
  })

  it('takes an answer of exactly 64 kB', async () => {
    const { url, behave } = await receiver()
    behave(answerWith(200, 'x'.repeat(64 * 1024)))
    expect(await post(url)).toMatchObject({ status: 200, errorClass: null })
  })

  it('keeps the class of a bad status when its body is too large as well', async () => {
    const { url, behave } = await receiver()
    behave(answerWith(500, 'x'.repeat(200_000)))
    expect(await post(url)).toMatchObject({ status: 500, errorClass: 'status' })
  })

  it('tells a broken connection', async () => {
    const host = await rawServer((socket) => socket.on('data', () => socket.destroy()))
    expect(await post(`http://${host}/`)).toMatchObject({ status: null, errorClass: 'reset' })
  })

  it('tells an answer that breaks off', async () => {
    const host = await rawServer((socket) =>
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
    )
    expect(await post(`http://${host}/`)).toMatchObject({ status: 200, errorClass: 'reset', answer: 'half' })
  })

  it('tells what is no HTTP', async () => {
    const host = await rawServer((socket) => socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')))
    expect(await post(`http://${host}/`)).toMatchObject({ status: null, errorClass: 'protocol' })
  })

  it('tells a failed handshake', async () => {
    const { port } = await receiver()
    expect(await post(`https://127.0.0.1:${port}/`)).toMatchObject({ status: null, errorClass: 'tls' })
  })

  it('tells a name without an address', async () => {
    const resolve = () => Promise.reject(Object.assign(new Error('queryA'), { code: 'ENOTFOUND' }))
    expect(await post('http://shop.example/', { resolve })).toMatchObject({
      errorClass: 'dns',
      address: null,
    })
  })

  it('reaches no address that is not public, by name or by number', async () => {
    const { port, received } = await receiver()
    const guarded = { allowPrivateNetworks: false }
    for (const host of ['shop.example', '127.0.0.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]', '0x7f.1']) {
      expect(await post(`http://${host}:${port}/`, guarded)).toMatchObject({
        status: null,
        errorClass: 'blocked',
        address: null,
      })
    }
    expect(received).toHaveLength(0)
  })

  it('tells each of many at once its own outcome', async () => {
    const { url, behave } = await receiver()
    behave(({ path }, response) => {
      setTimeout(() => response.writeHead(Number(path.slice(1))).end(path), Number(path.slice(1)) % 7)
    })
    const poster = posterWith({})
    const statuses = Array.from({ length: 200 }, (_one, index) => 200 + (index % 90))
    const results = await Promise.all(
      statuses.map((status) => poster.post({ url: `${url}/${status}`, headers: {}, body: '{}' })),
    )
    expect(results.map((result) => result.status)).toEqual(statuses)
    expect(new Set(results.map((result) => result.address))).toEqual(new Set(['127.0.0.1']))
  })
})
