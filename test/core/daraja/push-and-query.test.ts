import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Daraja } from '../../../src/core/daraja/call.ts'
import { createDarajaClient, type DarajaClient } from '../../../src/core/daraja/client.ts'
import { queryStk } from '../../../src/core/daraja/query.ts'
import { pushStk } from '../../../src/core/daraja/stk-push.ts'
import { createTokenSource } from '../../../src/core/daraja/token.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { Simulator } from '../../../src/simulator/server.ts'
import { type DarajaRelay, type OwnAnswer, openDarajaRelay, QUERY_PATH } from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { misbehave, startTestSimulator } from '../../support/simulator.ts'

describe('a call of Daraja, through sockets', () => {
  let simulator: Simulator
  let relay: DarajaRelay
  let client: DarajaClient
  let daraja: Daraja
  let answer: (call: { path: string }) => OwnAnswer | undefined = () => undefined

  beforeAll(async () => {
    simulator = await startTestSimulator()
    relay = await openDarajaRelay({ target: () => simulator.url, answer: (call) => answer(call) })
    client = createDarajaClient({ baseUrl: relay.url, timeoutMs: 1_000, connections: 8 })
    const account = {
      consumerKey: 'key',
      consumerSecret: 'secret',
      shortcode: '174379',
      passkey: 'passkey',
      transactionType: 'CustomerPayBillOnline' as const,
      partyB: '174379',
    }
    const tokens = createTokenSource({ send: client.send, account, nowMs: () => performance.now() })
    daraja = { account, send: client.send, tokens, clock: systemClock }
  })
  beforeEach(async () => {
    answer = () => undefined
    await misbehave(simulator, {})
  })
  afterAll(async () => {
    await client.close()
    await relay.close()
    await simulator.close()
  })

  const push = (msisdn = '254712345678') =>
    pushStk(
      daraja,
      { msisdn, amount_kes: 150 },
      { accountReference: 'INV2025001', darajaCallbackUrl: 'http://127.0.0.1:9/callbacks/stk/1' },
    )

  const promptsOf = async (): Promise<number> => {
    const ledger = (await (await fetch(`${simulator.url}/_ledger`)).json()) as { prompts: number }
    return ledger.prompts
  }

  it.each([
    ['push-invalid-payload', { kind: 'refused' }],
    ['push-invalid-shortcode', { kind: 'refused' }],
    ['push-invalid-request', { kind: 'refused' }],
    ['push-not-found', { kind: 'refused' }],
    ['push-no-product', { kind: 'refused' }],
    ['push-wrong-method', { kind: 'refused' }],
    ['push-unknown-merchant', { kind: 'refused' }],
    ['push-wrong-credentials', { kind: 'refused' }],
    ['push-invalid-token', { kind: 'later', concerns: 'whole_account' }],
    ['push-invalid-header', { kind: 'later', concerns: 'whole_account' }],
    ['push-token-fault', { kind: 'later', concerns: 'whole_account' }],
    ['push-token-as-400', { kind: 'later', concerns: 'whole_account', code: '400.003.01' }],
    ['push-token-as-401', { kind: 'later', concerns: 'whole_account', code: '401.002.01' }],
    ['push-spike-arrest', { kind: 'later', concerns: 'whole_account' }],
    ['push-quota', { kind: 'later', concerns: 'whole_account' }],
    ['push-html-403', { kind: 'later', concerns: 'whole_account' }],
    ['push-html-503', { kind: 'later', concerns: 'whole_account' }],
    ['subscriber-locked', { kind: 'later', concerns: 'this_payer', afterMs: 60_000 }],
    ['push-system-busy', { kind: 'unknown' }],
    ['push-internal-error', { kind: 'unknown' }],
    ['push-empty-body', { kind: 'unknown' }],
    ['push-cut', { kind: 'unknown' }],
    ['push-silence', { kind: 'unknown' }],
    ['system-busy-after-prompt', { kind: 'unknown' }],
    ['html-504-after-prompt', { kind: 'unknown' }],
    ['empty-body-after-prompt', { kind: 'unknown' }],
    ['empty-error-after-prompt', { kind: 'unknown' }],
    ['half-a-body-after-prompt', { kind: 'unknown' }],
    ['cut-midway-after-prompt', { kind: 'unknown' }],
    ['silence-after-prompt', { kind: 'unknown' }],
    ['accepted-as-500-after-prompt', { kind: 'accepted' }],
  ])('a push answered by %s is %j, and never made again by the client', async (name, outcome) => {
    await misbehave(simulator, { [name]: 1 })
    const before = await promptsOf()
    expect(await push()).toMatchObject(outcome)
    expect((await promptsOf()) - before).toBe(name.endsWith('-after-prompt') ? 1 : 0)
  })

  it('a push that was taken has its ids, old or new', async () => {
    expect(await push()).toMatchObject({
      kind: 'accepted',
      checkoutRequestId: expect.stringMatching(/^ws_CO_/),
    })
    await misbehave(simulator, { 'old-ids': 1 })
    expect(await push()).toMatchObject({ kind: 'accepted', merchantRequestId: expect.stringMatching(/^\d/) })
  })

  const pushAndGetId = async (msisdn?: string): Promise<string> => {
    const pushed = await push(msisdn)
    if (pushed.kind !== 'accepted') throw new Error(JSON.stringify(pushed))
    return pushed.checkoutRequestId
  }

  it('a query is open while the payer has the prompt, and definite then', async () => {
    const id = await pushAndGetId('254700000021')
    expect(await queryStk(daraja, id)).toEqual({ kind: 'open', reason: 'pending' })
    await eventually(async () => {
      expect(await queryStk(daraja, id)).toMatchObject({ kind: 'definite', resultCode: '0' })
    })
  })

  it('codes that are numbers mean the same', async () => {
    await misbehave(simulator, { 'accepted-with-a-number': 1, 'query-in-numbers': 1 })
    const id = await pushAndGetId()
    await eventually(async () => {
      expect(await queryStk(daraja, id)).toMatchObject({ kind: 'definite', resultCode: '0' })
    })
  })

  it('a query about a code that is not numeric is definite', async () => {
    answer = ({ path }) =>
      path === QUERY_PATH ? { status: 200, json: { ResponseCode: '0', ResultCode: 'SFC_IC0003' } } : undefined
    expect(await queryStk(daraja, 'ws_CO_1')).toMatchObject({ kind: 'definite', resultCode: 'SFC_IC0003' })
  })

  it.each([
    'query-no-answer',
    'query-denies',
    'query-invalid-token',
    'query-spike-arrest',
    'query-quota',
    'query-system-busy',
    'query-html-403',
    'query-html-503',
    'query-empty-body',
    'query-half-a-body',
    'query-cut',
    'query-silence',
    'query-pending-as-error',
    'query-pending-under-a-code',
    'query-token-as-400',
    'query-token-as-401',
    'query-as-500',
  ])('a query answered by %s settles nothing', async (name) => {
    const id = await pushAndGetId('254700000021')
    await misbehave(simulator, { [name]: 1 })
    expect(await queryStk(daraja, id)).toMatchObject({ kind: 'open' })
  })

  it.each([
    ['no ResultCode', { ResponseCode: '0' }],
    ['an empty one', { ResponseCode: '0', ResultCode: '' }],
    ['a number that is pending', { ResponseCode: '0', ResultCode: 4999 }],
    ['another push’s id', { ResponseCode: '0', ResultCode: '0', CheckoutRequestID: 'ws_CO_2' }],
  ])('a query answered with %s settles nothing', async (_name, json) => {
    answer = ({ path }) => (path === QUERY_PATH ? { status: 200, json } : undefined)
    expect(await queryStk(daraja, 'ws_CO_1')).toMatchObject({ kind: 'open' })
  })
})
