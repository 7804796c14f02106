import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { endAccount, setAccount } from '../../../src/core/partners/partner-account.ts'
import { createLog } from '../../../src/runtime/log.ts'
import { testActor } from '../../support/actor.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import {
  type DarajaRelay,
  type OwnAnswer,
  openDarajaRelay,
  PUSH_PATH,
  QUERY_PATH,
} from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { addPartner } from '../../support/partner.ts'
import { readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'
import { testVault } from '../../support/vault.ts'

const PULL_PATH = '/pulltransactions/v1/query'
const SPIKE_ARREST = {
  status: 500,
  json: { errorCode: '500.003.02', errorMessage: 'Error Occurred: Spike Arrest Violation' },
} as const

/** A till of a partner's own. */
const TILL = {
  consumerKey: 'till-key',
  consumerSecret: 'till-secret',
  passkey: 'till-passkey',
  shortcode: '600111',
  transactionType: 'CustomerBuyGoodsOnline',
  partyB: '600222',
} as const
const PAYBILL = {
  ...TILL,
  shortcode: '600333',
  transactionType: 'CustomerPayBillOnline',
  partyB: '600333',
} as const
const NEVER_CALLS_BACK = '254700000022'

type Body = Record<string, unknown>

describe('a payment', () => {
  let test: TestCore
  let relay: DarajaRelay
  let answer: (call: { path: string; body: string }) => OwnAnswer | undefined
  const lines: Record<string, unknown>[] = []
  /** What the core's clock is put forward by, ms: it remembers accounts for a few seconds. */
  let skippedMs = 0

  beforeAll(async () => {
    relay = await openDarajaRelay({ target: () => test.simulator.url, answer: (call) => answer(call) })
    test = await startTestCore({
      config: {
        daraja: { baseUrl: relay.url },
        submit: { ttlMs: 10_000 },
        reconcile: { afterMs: 200 },
      },
      nowMs: () => performance.now() + skippedMs,
      log: createLog({ name: 'test', level: 'warn', to: { write: (line) => lines.push(JSON.parse(line)) } }),
    })
  })
  afterAll(async () => {
    await test.stop()
    await relay.close()
  })
  beforeEach(() => {
    answer = () => undefined
  })
  afterEach(() => sql`UPDATE daraja_accounts SET held_until = now(), holds = 0`.execute(test.database))

  const newPartner = () => addPartner(test.database, { name: 'Own' })
  const setOwn = (
    partnerId: bigint,
    account: Parameters<typeof setAccount>[0]['account'],
    features = NO_FEATURES,
  ) =>
    setAccount({ actor: testActor, database: test.database, vault: testVault, partnerId, account, features })
  const ask = async (apiKey: string, msisdn = '254712345678'): Promise<bigint> => {
    const headers = { 'x-api-key': apiKey }
    const { paymentId } = await test.clients.payments.requestPayment(paymentRequest({ msisdn }), { headers })
    return paymentId
  }
  const callsOf = (path: string, shortcode: string): Body[] =>
    relay
      .callsTo(path)
      .map(({ body }) => JSON.parse(body) as Body)
      .filter((body) => String(body['BusinessShortCode'] ?? body['ShortCode']) === shortcode)
  const stateOf = async (id: bigint): Promise<string> => (await readPayment(test.database, id)).state

  it('is pushed as its partner’s own account, and others’ as the default one', async () => {
    const own = await newPartner()
    await setOwn(own.partnerId, TILL)
    const [ofOwn, ofOther] = [await ask(own.apiKey), await ask(test.apiKey)]
    await eventually(async () => {
      expect([await stateOf(ofOwn), await stateOf(ofOther)]).toEqual(['submitted', 'submitted'])
    })
    const [push] = callsOf(PUSH_PATH, TILL.shortcode)
    expect(push).toMatchObject({ TransactionType: 'CustomerBuyGoodsOnline', PartyB: 600_222 })
    const password = Buffer.from(String(push?.['Password']), 'base64').toString()
    expect(password).toBe(`${TILL.shortcode}${TILL.passkey}${String(push?.['Timestamp'])}`)
    expect(callsOf(PUSH_PATH, '174379')).toMatchObject([{ TransactionType: 'CustomerPayBillOnline' }])
    expect((await readPayment(test.database, ofOther)).account_id).toBe(0n)
  })

  it('stays with the account it was accepted with, whatever its partner changes to', async () => {
    const own = await newPartner()
    await setOwn(own.partnerId, TILL)
    const first = await ask(own.apiKey, NEVER_CALLS_BACK)
    await setOwn(own.partnerId, PAYBILL)
    const second = await ask(own.apiKey, NEVER_CALLS_BACK)
    await endAccount({ actor: testActor, database: test.database, partnerId: own.partnerId })
    const third = await ask(own.apiKey, NEVER_CALLS_BACK)
    await eventually(async () => {
      const states = [await stateOf(first), await stateOf(second), await stateOf(third)]
      expect(states).toEqual(['successful', 'successful', 'successful'])
    })
    const ids = await Promise.all([first, second, third].map((id) => readPayment(test.database, id)))
    const [till, paybill, byDefault] = ids.map((row) => row.checkout_request_id)
    expect(callsOf(QUERY_PATH, TILL.shortcode)).toContainEqual(
      expect.objectContaining({ CheckoutRequestID: till }),
    )
    expect(callsOf(QUERY_PATH, PAYBILL.shortcode)).toMatchObject([{ CheckoutRequestID: paybill }])
    expect(callsOf(QUERY_PATH, '174379')).toContainEqual(
      expect.objectContaining({ CheckoutRequestID: byDefault }),
    )
  })

  it('is asked about with the new secrets of its account when these were changed', async () => {
    const own = await newPartner()
    const accountId = await setOwn(own.partnerId, PAYBILL)
    const first = await ask(own.apiKey)
    await eventually(async () => expect(await stateOf(first)).toBe('submitted'))
    expect(await setOwn(own.partnerId, { ...PAYBILL, passkey: 'another' })).toBe(accountId)
    skippedMs += 60_000
    const before = callsOf(PUSH_PATH, PAYBILL.shortcode).length
    await ask(own.apiKey)
    await eventually(() => {
      const [push] = callsOf(PUSH_PATH, PAYBILL.shortcode).slice(before)
      const password = Buffer.from(String(push?.['Password']), 'base64').toString()
      expect(password.startsWith(`${PAYBILL.shortcode}another`)).toBe(true)
    })
  })

  it('waits for no other account that Daraja turned away', async () => {
    const own = await newPartner()
    await setOwn(own.partnerId, TILL)
    answer = ({ path, body }) =>
      path === PUSH_PATH && body.includes(TILL.shortcode) ? SPIKE_ARREST : undefined
    const turnedAway = await Promise.all([ask(own.apiKey), ask(own.apiKey), ask(own.apiKey)])
    await eventually(() =>
      expect(lines).toContainEqual(expect.objectContaining({ event: 'daraja_held_off' })),
    )
    const id = await ask(test.apiKey)
    await eventually(async () => expect(await stateOf(id)).toBe('submitted'))
    expect(await Promise.all(turnedAway.map(stateOf))).not.toContain('submitted')
    answer = () => undefined
    await sql`UPDATE daraja_accounts SET held_until = now()`.execute(test.database)
    await sql`UPDATE to_submit SET due_at = now()`.execute(test.database)
    // They may be paid before all three are looked at.
    await eventually(async () => {
      const states = await Promise.all(turnedAway.map(stateOf))
      expect(states.filter((state) => state !== 'submitted' && state !== 'successful')).toEqual([])
    })
  })

  it('of an account whose secrets cannot be opened prompts nobody, fails in time, and is reported', async () => {
    const own = await newPartner()
    const accountId = await setOwn(own.partnerId, PAYBILL)
    // Who can write to the database lets the money go somewhere else.
    await sql`UPDATE partner_accounts SET party_b = '600999' WHERE id = ${accountId}`.execute(test.database)
    const before = callsOf(PUSH_PATH, PAYBILL.shortcode).length
    const id = await ask(own.apiKey)
    const other = await ask(test.apiKey)
    await eventually(async () => expect(await stateOf(other)).toBe('submitted'))
    await sql`UPDATE to_submit SET submit_by = now() WHERE payment_id = ${id}`.execute(test.database)
    await sql`UPDATE payments SET submit_by = now() WHERE id = ${id}`.execute(test.database)
    await eventually(async () => expect(await stateOf(id)).toBe('failed'))
    expect(callsOf(PUSH_PATH, PAYBILL.shortcode)).toHaveLength(before)
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'account_unreadable', account_id: Number(accountId) }),
    )
  })

  it('of an account with Pull Transactions is looked for in the records of that account', async () => {
    const own = await newPartner()
    await setOwn(own.partnerId, TILL, { uniqueReference: true, pull: { msisdn: null } })
    const id = await ask(own.apiKey, NEVER_CALLS_BACK)
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({
        state: 'successful',
        receipt: expect.stringMatching(/^[A-Z0-9]{10}$/),
      })
    })
    expect(callsOf(PULL_PATH, TILL.shortcode).length).toBeGreaterThan(0)
    expect(callsOf(PULL_PATH, '174379')).toEqual([])
  })
})

const NO_FEATURES: Parameters<typeof setAccount>[0]['features'] = { uniqueReference: false, pull: null }
