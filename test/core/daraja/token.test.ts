import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { callDaraja, credentialsOf, type Daraja, readSuccess } from '../../../src/core/daraja/call.ts'
import { createDarajaClient, type DarajaClient } from '../../../src/core/daraja/client.ts'
import { pullPage } from '../../../src/core/daraja/pull.ts'
import { queryStk } from '../../../src/core/daraja/query.ts'
import { pushStk } from '../../../src/core/daraja/stk-push.ts'
import { createTokenSource } from '../../../src/core/daraja/token.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { Simulator } from '../../../src/simulator/server.ts'
import {
  type DarajaRelay,
  OAUTH_PATH,
  type OwnAnswer,
  openDarajaRelay,
  PUSH_PATH,
  QUERY_PATH,
} from '../../support/daraja-relay.ts'
import { misbehave, startTestSimulator } from '../../support/simulator.ts'

const ACCOUNT = {
  consumerKey: 'key',
  consumerSecret: 'secret',
  shortcode: '174379',
  passkey: 'passkey',
  transactionType: 'CustomerPayBillOnline' as const,
  partyB: '174379',
}

const PAYMENT = { msisdn: '254712345678', amount_kes: 150 }
const WORDING = {
  accountReference: 'INV2025001',
  darajaCallbackUrl: 'http://127.0.0.1:9/callbacks/stk/1',
}
const PULL_PATH = '/pulltransactions/v1/query'
const WINDOW = { from: new Date(0), to: new Date(1), offset: 0 }

const INVALID_TOKEN = { requestId: '1', errorCode: '404.001.03', errorMessage: 'Invalid Access Token' }

describe('the access token of an account', () => {
  let simulator: Simulator
  let relay: DarajaRelay
  let client: DarajaClient
  let nowMs = 0
  let answer: (call: { path: string }) => OwnAnswer | undefined

  beforeEach(async () => {
    answer = () => undefined
    nowMs = 0
    simulator = await startTestSimulator()
    relay = await openDarajaRelay({ target: () => simulator.url, answer: (call) => answer(call) })
    client = createDarajaClient({ baseUrl: relay.url, timeoutMs: 2_000, connections: 32 })
  })
  afterEach(async () => {
    await client.close()
    await relay.close()
    await simulator.close()
  })

  /** A process's own connection to Daraja, with a token source of its own. */
  const newProcess = (): Daraja => ({
    account: ACCOUNT,
    send: client.send,
    clock: systemClock,
    tokens: createTokenSource({ send: client.send, account: ACCOUNT, nowMs: () => nowMs }),
  })

  /** A query for a push that nobody made: with a good token the answer is "no answer". */
  const query = (daraja: Daraja) =>
    callDaraja(daraja, {
      path: QUERY_PATH,
      body: { ...credentialsOf(daraja), CheckoutRequestID: 'ws_CO_1' },
      read: readSuccess,
    })

  const good = { kind: 'unknown', reason: expect.stringContaining('500.001.1001') }
  const tokensMade = () => relay.callsTo(OAUTH_PATH).length

  it('is asked for once, however many ask at the same time', async () => {
    const daraja = newProcess()
    const answers = await Promise.all(Array.from({ length: 30 }, () => query(daraja)))
    for (const one of answers) expect(one).toMatchObject(good)
    expect(tokensMade()).toBe(1)
  })

  it('is renewed a minute before it expires, and not before that', async () => {
    const daraja = newProcess()
    await query(daraja)
    nowMs = 3_538_000
    await query(daraja)
    expect(tokensMade()).toBe(1)
    nowMs = 3_540_000
    expect(await query(daraja)).toMatchObject(good)
    expect(tokensMade()).toBe(2)
  })

  it('is asked for again when the answer had no token', async () => {
    await misbehave(simulator, { 'token-empty-body': 1 })
    const daraja = newProcess()
    expect(await query(daraja)).toMatchObject({ kind: 'later', code: 'no_token', concerns: 'whole_account' })
    await misbehave(simulator, {})
    expect(await query(daraja)).toMatchObject(good)
  })

  it.each([
    'token-html-503',
    'token-html-403',
    'token-spike-arrest',
    'token-invalid-credentials',
    'token-cut',
  ])('that cannot be had (%s) puts the call off: nothing was asked', async (name) => {
    await misbehave(simulator, { [name]: 1 })
    expect(await query(newProcess())).toMatchObject({ kind: 'later', concerns: 'whole_account' })
    expect(relay.callsTo(QUERY_PATH)).toEqual([])
  })

  it('that another process had invalidated is renewed once, and the call repeated once', async () => {
    await misbehave(simulator, { 'tokens-end-earlier-ones': 1 })
    const [one, other] = [newProcess(), newProcess()]
    await query(one)
    await query(other)
    expect(tokensMade()).toBe(2)
    expect(await query(one)).toMatchObject(good)
    expect(tokensMade()).toBe(3)
    expect(relay.callsTo(QUERY_PATH).map(({ status }) => status)).toEqual([500, 500, 404, 500])
  })

  it('is renewed once for all calls that met its invalidation together', async () => {
    await misbehave(simulator, { 'tokens-end-earlier-ones': 1 })
    const [one, other] = [newProcess(), newProcess()]
    await query(one)
    await query(other)
    const answers = await Promise.all(Array.from({ length: 20 }, () => query(one)))
    for (const each of answers) expect(each).toMatchObject(good)
    expect(tokensMade()).toBe(3)
  })

  it('that is refused again when it is fresh puts the call off, after two calls', async () => {
    answer = ({ path }) => (path === QUERY_PATH ? { status: 404, json: INVALID_TOKEN } : undefined)
    expect(await query(newProcess())).toMatchObject({ kind: 'later', code: '404.001.03' })
    expect(relay.callsTo(QUERY_PATH)).toHaveLength(2)
    expect(tokensMade()).toBe(2)
  })

  const invalid = (errorCode: string, errorMessage: string, status: number) => ({
    status,
    json: { requestId: 'r', errorCode, errorMessage },
  })
  const MESSAGE = 'Error Occurred - Invalid Access Token - x'
  const INVALID: [string, OwnAnswer][] = [
    ['400.003.01, HTTP 400', invalid('400.003.01', 'Invalid Access Token', 400)],
    ['400.002.02, HTTP 400', invalid('400.002.02', MESSAGE, 400)],
    ['401.001, HTTP 401', invalid('401.001', 'Unauthorized', 401)],
    ['401.002.01, HTTP 401', invalid('401.002.01', MESSAGE, 401)],
    ['401.003.01, HTTP 401', invalid('401.003.01', MESSAGE, 401)],
    ['404.001.03, HTTP 401', invalid('404.001.03', 'Invalid Access Token', 401)],
    ['404.001.04, HTTP 400', invalid('404.001.04', 'Invalid Authentication Header', 400)],
    ['404.003.01, HTTP 404', invalid('404.003.01', 'The access token is invalid', 404)],
    ['HTTP 200', invalid(' 400.003.01 ', 'INVALID  ACCESS TOKEN', 200)],
    ['a fault of HTTP 401', { status: 401, json: { fault: { faultstring: 'Invalid access token' } } }],
    [
      'a fault of HTTP 403',
      { status: 403, json: { fault: { faultstring: 'Access Token expired', detail: { errorcode: 'x' } } } },
    ],
  ]
  const calls = (path: string, call: (daraja: Daraja) => Promise<{ kind: string }>, kind: string) =>
    INVALID.map(([name, refusal]) => ({ name, path, refusal, call, kind }))

  it.each([
    ...calls(PUSH_PATH, (daraja) => pushStk(daraja, PAYMENT, WORDING), 'accepted'),
    ...calls(QUERY_PATH, (daraja) => queryStk(daraja, 'ws_CO_1'), 'open'),
    ...calls(PULL_PATH, (daraja) => pullPage(daraja, WINDOW), 'failed'),
  ])('that $path calls invalid by $name is renewed once, and the call repeated once', async (given) => {
    let answers = 0
    answer = ({ path }) => {
      if (path !== given.path) return undefined
      answers += 1
      return answers === 1 ? given.refusal : undefined
    }
    expect(await given.call(newProcess())).toMatchObject({ kind: given.kind })
    expect(relay.callsTo(given.path)).toHaveLength(2)
    expect(tokensMade()).toBe(2)
  })

  it.each([
    ['400.003.01', 'Bad Request - Invalid ShortCode', 400],
    ['400.002.02', 'Bad Request - Invalid PhoneNumber', 400],
    ['401.002.01', 'Error Occurred - Invalid Access Token - no apiproduct match found', 401],
    ['404.001.03', 'Invalid Access Token - Invalid API call as no apiproduct match found', 401],
    ['404.001.01', 'Resource not found', 404],
  ])('is kept under a refusal of something else: %s %s', async (errorCode, errorMessage, status) => {
    answer = ({ path }) => (path === PUSH_PATH ? invalid(errorCode, errorMessage, status) : undefined)
    const daraja = newProcess()
    expect(await pushStk(daraja, PAYMENT, WORDING)).toMatchObject({ kind: 'refused', code: errorCode })
    expect(await pushStk(daraja, PAYMENT, WORDING)).toMatchObject({ kind: 'refused' })
    expect(relay.callsTo(PUSH_PATH)).toHaveLength(2)
    expect(tokensMade()).toBe(1)
  })

  it('is renewed for the next call after a 401 that cannot be read, which is not repeated', async () => {
    answer = ({ path }) => (path === PUSH_PATH ? { status: 401, json: 'go away' } : undefined)
    const daraja = newProcess()
    expect(await pushStk(daraja, PAYMENT, WORDING)).toMatchObject({ kind: 'unknown' })
    expect(relay.callsTo(PUSH_PATH)).toHaveLength(1)
    answer = () => undefined
    expect(await pushStk(daraja, PAYMENT, WORDING)).toMatchObject({ kind: 'accepted' })
    expect(tokensMade()).toBe(2)
  })

  it('lets many calls of two processes through that invalidate each other’s all the time', async () => {
    await misbehave(simulator, { 'tokens-end-earlier-ones': 1 })
    const processes = [newProcess(), newProcess()]
    const ask = async (daraja: Daraja): Promise<void> => {
      for (let call = 0; call < 10; call += 1) {
        let reply = await query(daraja)
        for (let again = 0; reply.kind === 'later' && again < 20; again += 1) reply = await query(daraja)
        expect(reply).toMatchObject(good)
      }
    }
    await Promise.all(processes.map(ask))
  })
})
