import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { callDaraja, credentialsOf, type Daraja, readSuccess } from '../../../src/core/daraja/call.ts'
import { createDarajaClient, type DarajaClient } from '../../../src/core/daraja/client.ts'
import { createTokenSource } from '../../../src/core/daraja/token.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { Simulator } from '../../../src/simulator/server.ts'
import {
  type DarajaRelay,
  OAUTH_PATH,
  type OwnAnswer,
  openDarajaRelay,
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

  it('is asked for again when the answer told of no token', async () => {
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
