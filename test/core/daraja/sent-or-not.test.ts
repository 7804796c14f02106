import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createDarajaClient, type DarajaClient } from '../../../src/core/daraja/client.ts'
import { createAuthority, selfSign } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { holdSockets } from '../../support/held-sockets.ts'
import { freePort } from '../../support/ports.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const listen = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

const connect = (baseUrl: string, options: { waitMs?: number; timeoutMs?: number } = {}): DarajaClient => {
  const client = createDarajaClient({ baseUrl, timeoutMs: 20_000, connections: 1, ...options })
  closing.push(() => client.close())
  return client
}

const push = (client: DarajaClient, body: unknown = { Amount: 1 }) =>
  client.send({ method: 'POST', path: '/push', headers: {}, body })

/** Calls `react` with each piece of each connection, and the piece's number on it. */
const rawServer = (react: (socket: Socket, piece: Buffer, number: number) => void): Promise<number> =>
  listen(
    createServer((socket) => {
      let number = 0
      socket.on('data', (piece) => {
        number += 1
        react(socket, Buffer.from(piece), number)
      })
    }),
  )

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'

describe('not one byte of a request has left', () => {
  it('when nobody listens', async () => {
    const client = connect(`http://127.0.0.1:${await freePort()}`)
    expect(await push(client)).toMatchObject({
      kind: 'not_sent',
      reason: expect.stringMatching(/^ECONNREFUSED/),
    })
  })

  it('when the connection is cut after the ClientHello', async () => {
    const port = await rawServer((socket) => socket.destroy())
    expect(await push(connect(`https://127.0.0.1:${port}`))).toMatchObject({ kind: 'not_sent' })
  })

  it('when the other side does not speak TLS', async () => {
    const port = await rawServer((socket) => socket.end(ANSWER))
    expect(await push(connect(`https://127.0.0.1:${port}`))).toMatchObject({ kind: 'not_sent' })
  })

  it('when the certificate is not trusted, whatever is wrong with it', async () => {
    const authority = await createAuthority()
    const hosts = ['127.0.0.1']
    const leaf = await authority.issue({ hosts })
    const past = new Date(Date.now() - 1_000)
    const certificates = [
      await selfSign({ hosts }),
      leaf,
      { ...leaf, cert: `${leaf.cert}\n${authority.cert}` },
      await authority.issue({ hosts: ['daraja.example'] }),
      await authority.issue({ hosts, notAfter: past }),
      await authority.issue({ hosts, notBefore: new Date(Date.now() + 60_000) }),
    ]
    const reasons = new Set<string>()
    for (const certificate of certificates) {
      let requests = 0
      const port = await listen(createHttpsServer(certificate, () => (requests += 1)))
      const reply = await push(connect(`https://127.0.0.1:${port}`))
      expect(reply).toMatchObject({ kind: 'not_sent' })
      reasons.add('reason' in reply ? (reply.reason.split(':')[0] ?? '') : '')
      expect(requests).toBe(0)
    }
    expect(reasons.size).toBeGreaterThanOrEqual(3)
  })

  it('when no connection became free in time, and none leaves once one does', async () => {
    const answers: (() => void)[] = []
    const port = await listen(
      createHttpServer((_request, response) => answers.push(() => response.end('{}'))),
    )
    const client = connect(`http://127.0.0.1:${port}`, { waitMs: 3_000 })
    const first = push(client)
    await eventually(() => expect(answers).toHaveLength(1))
    expect(await push(client)).toMatchObject({ kind: 'not_sent', waited: true })
    for (const answer of answers.splice(0)) answer()
    expect(await first).toMatchObject({ kind: 'answered' })
    // The connection is free now: what was given up before would be the next to go.
    const third = push(client)
    await eventually(() => expect(answers).toHaveLength(1))
    for (const answer of answers.splice(0)) answer()
    expect(await third).toMatchObject({ kind: 'answered' })
  })

  it('while it waits, which does not shorten the time for the answer', async () => {
    const answers: (() => void)[] = []
    const port = await listen(
      createHttpServer((_request, response) => answers.push(() => response.end('{}'))),
    )
    const client = connect(`http://127.0.0.1:${port}`, { waitMs: 20_000, timeoutMs: 2_000 })
    const first = push(client)
    await eventually(() => expect(answers).toHaveLength(1))
    const second = push(client)
    expect(await first).toMatchObject({ kind: 'no_answer' })
    await eventually(() => expect(answers).toHaveLength(2))
    answers[1]?.()
    expect(await second).toMatchObject({ kind: 'answered' })
  })
})

describe('a request may have arrived', () => {
  it.each([
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'UND_ERR_CONNECT_TIMEOUT',
    'CERT_HAS_EXPIRED',
    'ECONNRESET',
    'ETIMEDOUT',
    'EPIPE',
  ])('when the connection fails with %s once it was written', async (code) => {
    const path = `/push/${code}`
    const sockets = holdSockets(path)
    closing.push(() => sockets.release())
    const seen: string[] = []
    const server = createHttpServer((request) => {
      request.on('data', () => undefined).on('end', () => seen.push(request.url ?? ''))
    })
    const client = connect(`http://127.0.0.1:${await listen(server)}`)
    const reply = client.send({ method: 'POST', path, headers: {}, body: { Amount: 1 } })
    await eventually(() => expect(seen).toEqual([path]))
    sockets.cut(Object.assign(new Error(`read ${code}`), { code, syscall: 'read' }))
    expect(await reply).toMatchObject({ kind: 'no_answer', reason: expect.stringContaining(code) })
    expect(seen).toEqual([path])
  })

  it('when a connection that was kept is closed just as the request is written', async () => {
    let pieces = 0
    const port = await rawServer((socket, _piece, number) => {
      pieces += 1
      if (number === 1) socket.write(ANSWER)
      else socket.destroy()
    })
    const client = connect(`http://127.0.0.1:${port}`)
    expect(await push(client)).toMatchObject({ kind: 'answered' })
    expect(await push(client)).toMatchObject({ kind: 'no_answer' })
    expect(pieces).toBe(2)
  })

  it('when the answer breaks off, is too long, or does not come', async () => {
    const answers = [
      'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{',
      `HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
      'HTTP/1.1 2',
      'hello\r\n\r\n',
    ]
    for (const answer of answers) {
      const port = await rawServer((socket) => socket.end(answer))
      expect(await push(connect(`http://127.0.0.1:${port}`))).toMatchObject({ kind: 'no_answer' })
    }
    const silent = connect(`http://127.0.0.1:${await rawServer(() => undefined)}`, { timeoutMs: 100 })
    expect(await push(silent)).toMatchObject({
      kind: 'no_answer',
      reason: expect.stringMatching(/^TimeoutError/),
    })
  })
})

describe('an answer', () => {
  it('counts when it comes before the request was read, and after an early hint', async () => {
    const hint = 'HTTP/1.1 103 Early Hints\r\nlink: </>; rel=preload\r\n\r\n'
    const port = await rawServer((socket, _piece, number) => number === 1 && socket.write(hint + ANSWER))
    const client = connect(`http://127.0.0.1:${port}`)
    expect(await push(client, { text: 'x'.repeat(500_000) })).toMatchObject({ kind: 'answered', status: 200 })
  })
})
