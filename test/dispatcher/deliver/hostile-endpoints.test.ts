import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { POST_LIMITS, type PostLimits, type PostResult } from '../../../src/dispatcher/deliver/post.ts'
import { eventually } from '../../support/eventually.ts'
import { createPosterHarness, type PosterHarness } from '../../support/poster.ts'

/** For attempts that are to run into them. */
const SHORT: PostLimits = { ...POST_LIMITS, headersMs: 400, totalMs: 800 }

let test: PosterHarness

beforeEach(() => {
  test = createPosterHarness()
})
afterEach(() => test.stop())

/** What comes of an attempt at an endpoint that does this with each connection; both its ends are closed afterwards. */
const attempt = async (onConnection: (socket: Socket) => void, limits = SHORT): Promise<PostResult> => {
  const sockets: Socket[] = []
  const host = await test.rawServer((socket) => {
    // Whoever does not read does not see the other end close.
    sockets.push(socket.resume())
    onConnection(socket)
  })
  const result = await test.post(`http://${host}/`, { limits })
  await eventually(() => expect(sockets.filter((socket) => !socket.destroyed)).toEqual([]))
  return result
}

/** Does it with the socket once the request has come. */
const onRequest = (then: (socket: Socket) => void) => (socket: Socket) =>
  socket.once('data', () => then(socket))

/** Writes it again and again, until the other end has had enough. */
const drip = (text: string, everyMs: number) => (socket: Socket) => {
  const timer = setInterval(() => socket.write(text), everyMs)
  socket.on('close', () => clearInterval(timer))
}

/** Writes it as fast as it is taken, without end. */
const flood = (head: string, text: string) =>
  onRequest((socket) => {
    socket.write(head)
    const more = (): void => {
      while (!socket.destroyed && socket.write(text));
    }
    socket.on('drain', more)
    more()
  })

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`

describe('an endpoint that', () => {
  it('takes the connection and says nothing is given up', async () => {
    expect(await attempt(() => undefined)).toMatchObject({ status: null, errorClass: 'timeout' })
  })

  it.each([
    ['an interim answer', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['the letters of a header', 'a'],
    ['empty lines', '\r\n'],
  ])('drips %s for ever, and no answer, is given up', async (_what, text) => {
    const result = await attempt(onRequest((socket) => drip(text, 20)(socket)))
    expect(result.status).toBeNull()
    expect(['timeout', 'protocol']).toContain(result.errorClass)
  })

  it('drips chunks of nothing but their sizes is given up, though its status was good', async () => {
    const dripping = onRequest((socket) => {
      socket.write(CHUNKED)
      drip('1;x=y\r\nz\r\n', 20)(socket)
    })
    expect(await attempt(dripping)).toMatchObject({ status: 200, errorClass: 'timeout' })
  })

  it('drips trailers for ever is given up', async () => {
    const dripping = onRequest((socket) => {
      socket.write(`${CHUNKED}0\r\n`)
      drip('x-a: b\r\n', 20)(socket)
    })
    expect(await attempt(dripping)).toMatchObject({ status: 200, errorClass: 'timeout' })
  })

  it.each([
    ['one header', `${OK}x-a: `, 'a'.repeat(8192)],
    ['many headers', OK, 'x-a: b\r\n'.repeat(512)],
    ['its status line', 'HTTP/1.1 200 ', 'a'.repeat(8192)],
    [
      'its interim answers',
      'HTTP/1.1 103 Early Hints\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(256),
    ],
    ['the empty lines before it', '', '\r\n'.repeat(4096)],
  ])('never ends %s is not listened to', async (_what, head, text) => {
    const result = await attempt(flood(head, text), POST_LIMITS)
    expect(result).toMatchObject({ status: null, answer: null })
    expect(['too_large', 'protocol']).toContain(result.errorClass)
  })

  it.each([
    ['its body', `${OK}\r\n`, 'a'.repeat(8192)],
    ['its chunks', CHUNKED, `2000\r\n${'a'.repeat(8192)}\r\n`],
    ['the sizes of its chunks', CHUNKED, `1;${'x'.repeat(8192)}\r\na\r\n`],
    ['a chunk of many gigabytes', `${CHUNKED}fffffffff\r\n`, 'a'.repeat(8192)],
    ['the body that it said was short enough', `${OK}content-length: 999999999\r\n\r\n`, 'a'.repeat(8192)],
  ])('never ends %s is read up to the limit, and has failed', async (_what, head, text) => {
    const result = await attempt(flood(head, text), POST_LIMITS)
    expect(result).toMatchObject({ status: 200, errorClass: 'too_large' })
    expect(result.answer?.length).toBeLessThanOrEqual(4096)
  })

  it.each([
    ['before the request', (socket: Socket) => socket.destroy(), null],
    ['after the request', onRequest((socket) => socket.destroy()), null],
    ['politely after the request', onRequest((socket) => socket.end()), null],
    ['in the status line', onRequest((socket) => socket.end('HTTP/1.1 20')), null],
    ['in the headers', onRequest((socket) => socket.end(`${OK}content-le`)), null],
    ['in the body', onRequest((socket) => socket.end(`${OK}content-length: 9\r\n\r\nhalf`)), 200],
    ['between two chunks', onRequest((socket) => socket.end(`${CHUNKED}4\r\nhalf\r\n`)), 200],
    ['by a reset', onRequest((socket) => socket.resetAndDestroy()), null],
  ])('cuts the connection %s has not answered', async (_when, onConnection, status) => {
    expect(await attempt(onConnection)).toMatchObject({ status, errorClass: 'reset' })
  })

  it('answers before it has read the request has answered: what it does with it is its own affair', async () => {
    const result = await attempt((socket) => socket.end(`${OK}content-length: 2\r\n\r\nok`))
    expect(result).toMatchObject({ status: 200, errorClass: null })
  })

  it.each([
    ['at once', 0],
    ['while nothing is asked', 30],
  ])('answers once more, %s, does not answer the next request by it', async (_when, afterMs) => {
    const answer = `${OK}content-length: 2\r\n\r\n`
    const first: Socket[] = []
    const host = await test.rawServer((socket) => {
      first.push(socket)
      socket.once('data', () => {
        if (afterMs === 0) socket.write(`${answer}ok${answer}no`)
        else socket.write(`${answer}ok`, () => setTimeout(() => socket.write(`${answer}no`), afterMs))
      })
    })
    const poster = test.poster({ limits: SHORT })
    const post = () => poster.post({ url: `http://${host}/`, headers: {}, body: '{}' })
    expect(await post()).toMatchObject({ status: 200, answer: 'ok' })
    await eventually(() => expect(first[0]?.destroyed).toBe(true))
    expect(await post()).toMatchObject({ status: 200, answer: 'ok' })
  })

  it('asks that its connection be kept is not given it for as long as it likes', async () => {
    const sockets: Socket[] = []
    const host = await test.rawServer((socket) => {
      sockets.push(socket)
      socket.on('data', () => socket.write(`${OK}keep-alive: timeout=600\r\ncontent-length: 2\r\n\r\nok`))
    })
    const poster = test.poster({ limits: { ...SHORT, idleMs: 100 } })
    const result = await poster.post({ url: `http://${host}/`, headers: {}, body: '{}' })
    expect(result).toMatchObject({ status: 200, errorClass: null })
    await eventually(() => expect(sockets.map((socket) => socket.destroyed)).toEqual([true]))
  })

  it.each([
    [
      'switches to another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ],
    ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['answers with another version', 'HTTP/9.9 200 OK\r\n\r\n'],
    ['gives two lengths', `${OK}content-length: 2\r\ncontent-length: 3\r\n\r\nabc`],
    ['gives a length and chunks', `${OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nabc`],
    ['folds its headers', `${OK}x-a: b\r\n c\r\ncontent-length: 0\r\n\r\n`],
    ['hides a NUL in a header', `${OK}x-a: \0\r\ncontent-length: 0\r\n\r\n`],
  ])('%s is not understood', async (_what, answer) => {
    const result = await attempt(onRequest((socket) => socket.end(answer)))
    expect(result).toMatchObject({ status: null })
    expect(['protocol', 'reset']).toContain(result.errorClass)
  })
})
