import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { POST_LIMITS, type PostLimits } from '../../../src/dispatcher/deliver/post.ts'
import { eventually } from '../../support/eventually.ts'
import { createPosterHarness, type PosterHarness } from '../../support/poster.ts'
import { answerWith, startReceiver } from '../../support/receiver.ts'

/** For attempts that are to run into them. */
const SHORT: PostLimits = { ...POST_LIMITS, headersMs: 400, totalMs: 800 }

let test: PosterHarness

beforeEach(() => {
  test = createPosterHarness()
})
afterEach(() => test.stop())

describe('a POST', () => {
  it('sends headers and body as given, and returns status, address and answer', async () => {
    const { url, received } = await test.receiver()
    const result = await test.post(`${url}/hook?x=1#fragment`)
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
    const { url, behave } = await test.receiver()
    behave(answerWith(status, ''))
    expect(await test.post(url)).toMatchObject({ status, errorClass: null, answer: null })
  })

  it.each([400, 404, 410, 500, 503])('counts %d as failure', async (status) => {
    const { url, behave } = await test.receiver()
    behave(answerWith(status, 'no'))
    expect(await test.post(url)).toMatchObject({ status, errorClass: 'status', answer: 'no' })
  })

  it('does not follow a redirect', async () => {
    const elsewhere = await test.receiver()
    const { url, behave } = await test.receiver()
    for (const status of [301, 302, 303, 307, 308]) {
      behave(answerWith(status, '', { location: `${elsewhere.url}/login` }))
      expect(await test.post(url)).toMatchObject({ status, errorClass: 'redirect' })
    }
    expect(elsewhere.received).toHaveLength(0)
  })

  it('reads Retry-After in seconds and as a date', async () => {
    const { url, behave } = await test.receiver()
    behave(answerWith(503, '', { 'retry-after': '120' }))
    expect(await test.post(url)).toMatchObject({ retryAfterMs: 120_000 })
    behave(answerWith(429, '', { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }))
    const { retryAfterMs } = await test.post(url)
    expect(retryAfterMs).toBeGreaterThan(3_590_000)
    expect(retryAfterMs).toBeLessThanOrEqual(3_600_000)
  })

  it('is refused where nobody listens, with the address', async () => {
    const { url, close } = await startReceiver()
    await close()
    expect(await test.post(url)).toMatchObject({
      status: null,
      errorClass: 'refused',
      address: '127.0.0.1',
      answer: null,
    })
  })

  it('times out when no answer begins', async () => {
    const { url, behave, received } = await test.receiver()
    behave(() => undefined)
    const result = await test.post(url, { limits: SHORT })
    expect(result).toMatchObject({ status: null, errorClass: 'timeout', address: '127.0.0.1' })
    expect(received).toHaveLength(1)
  })

  it('times out when headers drip for ever', async () => {
    const host = await test.rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('x-a: b\r\n'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    expect(await test.post(`http://${host}/`, { limits: SHORT })).toMatchObject({
      status: null,
      errorClass: 'timeout',
    })
  })

  it('times out when a body drips for ever, though its status was good', async () => {
    const { url, behave } = await test.receiver()
    let closed = false
    behave((_received, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => {
        clearInterval(timer)
        closed = true
      })
    })
    const result = await test.post(url, { limits: SHORT })
    expect(result).toMatchObject({ status: 200, errorClass: 'timeout' })
    expect(result.answer).toMatch(/^\.+$/)
    await eventually(() => expect(closed).toBe(true))
  })

  it('reads no more than 64 kB of an endless body, and counts it as failure', async () => {
    const { url, behave } = await test.receiver()
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
    const result = await test.post(url)
    expect(result).toMatchObject({ status: 200, errorClass: 'too_large' })
    expect(result.answer).toHaveLength(4096)
    await eventually(() => expect(closed).toBe(true))
  })

  it('takes an answer of exactly 64 kB', async () => {
    const { url, behave } = await test.receiver()
    behave(answerWith(200, 'x'.repeat(64 * 1024)))
    expect(await test.post(url)).toMatchObject({ status: 200, errorClass: null })
  })

  it('keeps the class of a bad status when its body is too large as well', async () => {
    const { url, behave } = await test.receiver()
    behave(answerWith(500, 'x'.repeat(200_000)))
    expect(await test.post(url)).toMatchObject({ status: 500, errorClass: 'status' })
  })

  it('recognises a broken connection', async () => {
    const host = await test.rawServer((socket) => socket.on('data', () => socket.destroy()))
    expect(await test.post(`http://${host}/`)).toMatchObject({ status: null, errorClass: 'reset' })
  })

  it('reports an answer that breaks off', async () => {
    const host = await test.rawServer((socket) =>
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
    )
    expect(await test.post(`http://${host}/`)).toMatchObject({
      status: 200,
      errorClass: 'reset',
      answer: 'half',
    })
  })

  it('reports what is no HTTP', async () => {
    const host = await test.rawServer((socket) =>
      socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    )
    expect(await test.post(`http://${host}/`)).toMatchObject({ status: null, errorClass: 'protocol' })
  })

  it('reports a failed handshake', async () => {
    const { port } = await test.receiver()
    expect(await test.post(`https://127.0.0.1:${port}/`)).toMatchObject({ status: null, errorClass: 'tls' })
  })

  it('reports a name without an address', async () => {
    const resolve = () => Promise.reject(Object.assign(new Error('queryA'), { code: 'ENOTFOUND' }))
    expect(await test.post('http://shop.example/', { resolve })).toMatchObject({
      errorClass: 'dns',
      address: null,
    })
  })

  it('reaches no address that is not public, by name or by number', async () => {
    const { port, received } = await test.receiver()
    const guarded = { allowPrivateNetworks: false }
    for (const host of ['shop.example', '127.0.0.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]', '0x7f.1']) {
      expect(await test.post(`http://${host}:${port}/`, guarded)).toMatchObject({
        status: null,
        errorClass: 'blocked',
        address: null,
      })
    }
    expect(received).toHaveLength(0)
  })

  it('gives each of many at once its own outcome', async () => {
    const { url, behave } = await test.receiver()
    behave(({ path }, response) => {
      setTimeout(() => response.writeHead(Number(path.slice(1))).end(path), Number(path.slice(1)) % 7)
    })
    const poster = test.poster()
    const statuses = Array.from({ length: 200 }, (_one, index) => 200 + (index % 90))
    const results = await Promise.all(
      statuses.map((status) => poster.post({ url: `${url}/${status}`, headers: {}, body: '{}' })),
    )
    expect(results.map((result) => result.status)).toEqual(statuses)
    expect(new Set(results.map((result) => result.address))).toEqual(new Set(['127.0.0.1']))
  })
})
