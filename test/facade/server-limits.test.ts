import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FacadeOptions, startFacade } from '../../src/facade/server.ts'
import { CONNECTION_LIMITS } from '../../src/runtime/connection-guard.ts'
import { createWrongSecrets, type WrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'
import { type AddressList, parseAddressList } from '../../src/values/address-list.ts'
import { eventually } from '../support/eventually.ts'
import {
  ask,
  errorBody,
  keptOpen,
  openConnection,
  openFacade,
  parseAnswers,
  partnerHeaders,
  paymentBody,
  push,
  requestWithBody,
  STK_PUSH,
  type TestFacade,
} from './harness.ts'

const LIMITS = {
  ...CONNECTION_LIMITS,
  maxConnections: 12,
  maxPerAddress: 8,
  checkEveryMs: 50,
}

/** For clients that are slow on purpose: on a loaded machine all others are too. */
const HASTY = { ...LIMITS, headersTimeoutMs: 300, requestTimeoutMs: 600 }

/** What the core counts wrong keys in; another one for each server before it. */
let counted: WrongSecrets
const wrongSecrets: WrongSecrets = {
  waitSeconds: (address) => counted.waitSeconds(address),
  count: (address) => counted.count(address),
}

let whole: TestFacade
beforeAll(async () => {
  whole = await openFacade({ wrongSecrets })
})
afterAll(() => whole.stop())

let test: TestFacade
let registry: Registry

/** Opens another server before the same core. */
const open = async (options: Partial<FacadeOptions> = {}, wrongKeysPerMinute = 1_000_000): Promise<void> => {
  registry = new Registry()
  counted = createWrongSecrets({ perMinute: wrongKeysPerMinute, nowMs: () => performance.now() })
  const { log } = whole.options
  const facade = await startFacade({
    payments: whole.clients.payments,
    darajaCallbacks: whole.clients.darajaCallbacks,
    status: whole.clients.status,
    log,
    randomBytes,
    publicUrl: 'http://127.0.0.1:8080',
    deliveryScheduleMs: [0],
    limits: options.limits ?? LIMITS,
    trustedProxies: options.trustedProxies ?? [],
    wrongSecrets,
    registry,
    host: '127.0.0.1',
    port: 0,
  })
  test = { ...whole, facade, httpPort: Number(new URL(facade.url).port) }
}

beforeEach(() => open())
afterEach(() => test.facade.close())

/** Sends `text` and then `drop` again and again, for as long as anybody takes it. */
const drip = async (text: string, drop: string) => {
  const connection = await openConnection(test)
  connection.socket.write(text)
  const timer = setInterval(() => connection.socket.write(drop), 20)
  void connection.came.then(() => clearInterval(timer))
  return connection
}

const addressesOf = (text: string): AddressList => {
  const parsed = parseAddressList(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

const cuts = async (reason: string): Promise<number> => {
  const { values } = (await registry.getSingleMetric('gateway_connections_cut_total')?.get()) ?? {
    values: [],
  }
  return values.find(({ labels }) => labels['reason'] === reason)?.value ?? 0
}

const SLOW = errorBody('the request took too long to arrive')

describe('a client that drips', () => {
  beforeEach(async () => {
    await test.facade.close()
    await open({ limits: HASTY })
  })

  it('its headers is answered so and cut', async () => {
    const { came } = await drip('GET /healthz HTTP/1.1\r\nHost: x\r\n', 'A: b\r\n')
    expect(parseAnswers(await came)).toMatchObject([{ status: 408, body: SLOW }])
    expect(await cuts('sender')).toBe(1)
  })

  it('its body is answered so and cut', async () => {
    const headers = [...partnerHeaders(test), 'Host: x', 'Content-Length: 16000'].join('\r\n')
    const { came } = await drip(`POST ${STK_PUSH} HTTP/1.1\r\n${headers}\r\n\r\n`, ' ')
    expect(parseAnswers(await came)).toMatchObject([{ status: 408, body: SLOW }])
  })

  it('its second request is cut like one that drips its first', async () => {
    const { came } = await drip('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n', 'A: b\r\n')
    expect(parseAnswers(await came).map(({ status }) => status)).toEqual([200, 408])
  })

  it('and keeps its half of the connection open is cut all the same', async () => {
    const { socket, came } = await openConnection(test)
    socket.allowHalfOpen = true
    socket.write('GET / HTTP/1.1\r\n')
    const timer = setInterval(() => socket.write('A: b\r\n'), 20)
    await came
    clearInterval(timer)
  })

  it('and says nothing at all is cut', async () => {
    const { came } = await openConnection(test)
    expect(parseAnswers(await came)).toMatchObject([{ status: 408 }])
  })
})

it('a client that never reads its answers is cut', async () => {
  await test.facade.close()
  await open({ limits: HASTY })
  const { socket } = await openConnection(test)
  socket.pause()
  const asked = 'GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50)
  const timer = setInterval(() => socket.write(asked), 5)
  await eventually(async () => expect(await cuts('reader')).toBe(1))
  clearInterval(timer)
  socket.destroy()
})

describe('connections', () => {
  it('above the number for one address are refused, and others served; the log says it once', async () => {
    const linesBefore = test.logLines.length
    const held = await Promise.all(Array.from({ length: LIMITS.maxPerAddress }, () => openConnection(test)))
    const more = await Promise.all([openConnection(test), openConnection(test)])
    for (const { came } of more) expect(await came).toBe('')
    held[0]?.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(parseAnswers((await held[0]?.came) ?? '')).toMatchObject([{ status: 200 }])
    for (const { socket } of held) socket.destroy()
    await eventually(async () => expect((await push(test, paymentBody())).status).toBe(200))
    const reported = test.logLines.slice(linesBefore).filter((line) => line.includes('connections_cut'))
    expect(reported.filter((line) => line.includes('"address"'))).toHaveLength(1)
    expect(await cuts('address')).toBeGreaterThanOrEqual(2)
  })

  it('of a trusted proxy are not counted as one client’s', async () => {
    await test.facade.close()
    await open({ trustedProxies: addressesOf('127.0.0.1') })
    const held = await Promise.all(
      Array.from({ length: LIMITS.maxPerAddress + 2 }, () => openConnection(test)),
    )
    expect((await push(test, paymentBody())).status).toBe(200)
    for (const { socket } of held) socket.destroy()
  })

  it('that rest make room when the server is full', async () => {
    await test.facade.close()
    await open({ limits: { ...LIMITS, maxPerAddress: 100, maxConnections: 4 } })
    const resting = await Promise.all(Array.from({ length: 4 }, () => openConnection(test)))
    for (const [index, { socket }] of resting.entries()) {
      socket.write(keptOpen(test, `rests ${index}`))
      await once(socket, 'data')
    }
    await eventually(async () => expect((await push(test, paymentBody())).status).toBe(200))
    expect(await cuts('total')).toBeGreaterThanOrEqual(1)
  })
})

describe('an address that shows one wrong key after the other', () => {
  const guess = (): string =>
    requestWithBody(`POST ${STK_PUSH}`, ['Content-Type: application/json', 'X-API-KEY: guess'], paymentBody())
      .toString()
      .replace('Connection: close\r\n', '')

  const showWrongKeys = async (count: number): Promise<number[]> => {
    const { socket, came } = await openConnection(test)
    socket.end(guess().repeat(count))
    return parseAnswers(await came).map(({ status }) => status)
  }

  beforeEach(async () => {
    await test.facade.close()
    await open({}, 3)
  })

  it('is asked to wait and cut, and what it sent behind is thrown away', async () => {
    expect(await showWrongKeys(3)).toEqual([401, 401, 401])
    const { socket, came } = await openConnection(test)
    socket.write(guess().repeat(20))
    const answers = parseAnswers(await came)
    expect(answers).toMatchObject([
      {
        status: 429,
        headers: { connection: 'close', 'retry-after': expect.stringMatching(/^[1-6]?\d$/) },
        body: expect.stringContaining('too many wrong API keys came from your address: try again in'),
      },
    ])
  })

  it('is served all the same when a partner’s own key came from there', async () => {
    expect((await push(test, paymentBody())).status).toBe(200)
    expect(await showWrongKeys(5)).toEqual([401, 401, 401, 429, 429])
    expect((await push(test, paymentBody())).status).toBe(200)
  })

  it('is not who shows none, as a health checker does', async () => {
    const withoutKey = keptOpen(test, 'k').replace(/X-API-KEY: [^\r]*\r\n/, '')
    const { socket, came } = await openConnection(test)
    socket.end(withoutKey.repeat(10))
    expect(parseAnswers(await came).map(({ status }) => status)).toEqual(
      Array.from({ length: 10 }, () => 401),
    )
    expect(await showWrongKeys(3)).toEqual([401, 401, 401])
  })

  it('is a load balancer, and is left alone', async () => {
    await test.facade.close()
    await open({ trustedProxies: addressesOf('127.0.0.1') }, 3)
    expect(await showWrongKeys(5)).toEqual([401, 401, 401, 429, 429])
    // Its own requests carry no client's address. Those of its clients count for each of them.
    const statusOf = async (client: string): Promise<number> =>
      (await ask(test, 'GET /api/v1/mpesa/transactions', ['X-API-KEY: guess', `X-Forwarded-For: ${client}`]))
        .status
    for (const status of [401, 401, 401, 429]) expect(await statusOf('192.0.2.1')).toBe(status)
    expect(await statusOf('192.0.2.2')).toBe(401)
  })
})

describe('what is too much', () => {
  it.each([
    ['headers of 100 kB', [`A: ${'a'.repeat(100_000)}`], 431, 'the headers are too large'],
    [
      '101 headers',
      Array.from({ length: 101 }, (_one, index) => `A${index}: b`),
      431,
      'there must be at most 100 headers',
    ],
  ])('%s are refused', async (_what, headers, status, message) => {
    expect(await ask(test, 'GET /healthz', headers)).toMatchObject({ status, body: errorBody(message) })
  })

  it('a URL of more than 8192 characters is refused', async () => {
    const answer = await ask(test, `GET /healthz?${'a'.repeat(8192)}`)
    expect(answer).toMatchObject({ status: 414, body: errorBody('the URL must be at most 8192 characters') })
  })
})

describe('answers', () => {
  it.each([
    'GET /healthz',
    'GET /nowhere',
    'GET /docs',
    `POST ${STK_PUSH}`,
    'TRACE /',
    `OPTIONS ${STK_PUSH}`,
  ])(
    'to %s are kept by nobody, are what they say they are, and allow no page of another site anything',
    async (line) => {
      const { headers } = await ask(test, line, [
        'Origin: https://elsewhere.example',
        'Access-Control-Request-Method: POST',
      ])
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
      expect(
        Object.keys(headers).filter((name) => /^access-control|^server$|^x-powered-by$/.test(name)),
      ).toEqual([])
    },
  )

  it.each(['/docs', '/docs/guide'])(
    'the page %s may be shown in no frame, and runs no script but its own',
    async (path) => {
      const { headers } = await ask(test, `GET ${path}`)
      expect(headers['content-security-policy']).toMatch(
        /default-src 'none'; script-src 'nonce-[\w-]{22}'; .*frame-ancestors 'none'/,
      )
      expect(headers['x-frame-options']).toBe('DENY')
    },
  )

  it('TRACE is not echoed', async () => {
    const { status, body } = await ask(test, 'TRACE /healthz', ['X-Secret: hidden'])
    expect(status).toBe(405)
    expect(body).not.toContain('hidden')
  })
})
