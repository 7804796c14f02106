import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUniqueReferences } from '../../../src/core/daraja/unique-reference.ts'
import { setAccount } from '../../../src/core/partners/partner-account.ts'
import { findPulled } from '../../../src/core/reconcile/find-pulled.ts'
import { testActor } from '../../support/actor.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { type DarajaRelay, type OwnAnswer, openDarajaRelay, PUSH_PATH } from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { addPartner } from '../../support/partner.ts'
import { acceptUntouched, readBodies, readDuties, readMoves, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'
import { misbehave } from '../../support/simulator.ts'
import { testVault } from '../../support/vault.ts'

const REGISTER_PATH = '/pulltransactions/v1/register'
const PULL_PATH = '/pulltransactions/v1/query'
const NO_SUCH_MERCHANT = {
  requestId: '1',
  errorCode: '500.001.1001',
  errorMessage: 'Merchant does not exist',
}

describe('what is found in M-PESA’s records', () => {
  const references = createUniqueReferences({ secretKey: new Uint8Array(32), previousSecretKey: null })
  const NONCE = '00c0ffee00c0ffee'
  const payments = [
    { paymentId: 17n, amountKes: 150, nonce: NONCE },
    { paymentId: 19n, amountKes: 150, nonce: null },
  ]
  const row = { receipt: 'UE4A11B2C3', amountKes: 150, transactionDate: null }

  it('is a payment’s only with its reference and its amount', () => {
    const found = findPulled({
      references,
      payments,
      transactions: [
        { ...row, reference: references.issue(17n, NONCE) },
        { ...row, receipt: 'UE4A11B2C4', reference: references.issue(18n, NONCE) },
        { ...row, receipt: 'UE4A11B2C5', reference: 'INV2025001' },
        { ...row, receipt: 'UE4A11B2C6', reference: references.issue(17n, NONCE), amountKes: 10 },
      ],
    })
    expect(found.evidence).toMatchObject([
      { paymentId: 17n, outcome: 'successful', receipt: 'UE4A11B2C3', cause: 'pull' },
    ])
    expect(found.findings).toMatchObject([
      { paymentId: 17n, kind: 'different_amount', detail: expect.stringContaining('UE4A11B2C6') },
    ])
  })
})

describe('what is found in M-PESA’s records of another payment that had the id', () => {
  const references = createUniqueReferences({ secretKey: new Uint8Array(32), previousSecretKey: null })
  const findFor = (nonce: string | null, reference: string) =>
    findPulled({
      references,
      payments: [{ paymentId: 17n, amountKes: 150, nonce }],
      transactions: [{ receipt: 'UE4A11B2C3', amountKes: 150, transactionDate: null, reference }],
    })

  it('is nothing of the one that has it now', () => {
    const ofAnother = references.issue(17n, '0ddba11500000000')
    expect(findFor('00c0ffee00c0ffee', ofAnother)).toEqual({ evidence: [], findings: [] })
    expect(findFor(null, ofAnother)).toEqual({ evidence: [], findings: [] })
  })

  it('may be what a process of the release before pushed: that is for an operator to say', () => {
    expect(findFor('00c0ffee00c0ffee', references.issue(17n, null))).toMatchObject({
      evidence: [],
      findings: [{ paymentId: 17n, kind: 'not_proven', detail: expect.stringContaining('UE4A11B2C3') }],
    })
    expect(findFor(null, references.issue(17n, null)).evidence).toHaveLength(1)
  })
})

describe('Pull Transactions', () => {
  let test: TestCore
  let relay: DarajaRelay
  /** Set for one call: Daraja answers as if the shortcode had never been registered. */
  let isForgotten = false
  /** Set: the first page is of what others paid who gave no account, and Daraja's own come after it. */
  let isBusy = false

  // No callback receiver: whatever calls back is not heard.
  beforeAll(async () => {
    relay = await openDarajaRelay({
      target: () => test.simulator.url,
      answer: ({ path, body }) => {
        if (path === PULL_PATH && isBusy) return busyPage(JSON.parse(body))
        if (path !== PULL_PATH || !isForgotten) return undefined
        isForgotten = false
        return { status: 500, json: NO_SUCH_MERCHANT }
      },
    })
    test = await startTestCore({
      config: {
        daraja: {
          baseUrl: relay.url,
          timeoutMs: 1_000,
          uniqueReference: true,
          pull: { msisdn: '254712345678' },
        },
        reconcile: { afterMs: 300 },
      },
    })
  })
  afterAll(async () => {
    await test.stop()
    await relay.close()
  })

  const OTHERS = Array.from({ length: 100 }, (_one, index) => ({
    transactionId: `UE4A${String(index).padStart(6, '0')}`,
    trxDate: '2026-05-04T18:04:10Z',
    billreference: '',
    amount: '20.00',
  }))

  const busyPage = ({ OffSetValue: offset }: { OffSetValue: string }): OwnAnswer => {
    const reference = (
      JSON.parse(relay.callsTo(PUSH_PATH).at(-1)?.body ?? '') as { AccountReference: string }
    ).AccountReference
    const own = { ...OTHERS[0], transactionId: 'UE4A11B2C3', billreference: reference, amount: '150.00' }
    const rows = offset === '0' ? OTHERS : offset === '100' ? [own] : []
    return { status: 200, json: { ResponseCode: rows.length > 0 ? '1000' : '1001', Response: [rows] } }
  }

  const ask = async (msisdn: string): Promise<bigint> => {
    const request = paymentRequest({ msisdn })
    return (await test.clients.payments.requestPayment(request, { headers: test.headers })).paymentId
  }

  it('bring back the receipt of a payment that the query settled, and end its duty', async () => {
    const id = await ask('254700000022')
    const payment = await eventually(async () => {
      const found = await readPayment(test.database, id)
      expect(found.receipt).not.toBeNull()
      return found
    })
    expect(payment).toMatchObject({ state: 'successful', receipt: expect.stringMatching(/^[A-Z0-9]{10}$/) })
    expect((await readMoves(test.database, id)).at(-1)).toBe('submitted>successful query')
    expect(await readDuties(test.database, id)).toEqual([])
    expect(await readBodies(test.database, id)).toHaveLength(1)
  })

  it('settle a payment that is unconfirmed', async () => {
    const id = await ask('254700000033')
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful' })
    })
    expect((await readMoves(test.database, id)).slice(-2)).toEqual([
      'submitting>unconfirmed push_outcome_unknown',
      'unconfirmed>successful pull',
    ])
    expect(await readBodies(test.database, id)).toMatchObject([{ status: 'successful' }])
  })

  it('are read on where a whole page is of what others paid who gave no account', async () => {
    isBusy = true
    const id = await ask('254700000033')
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({
        state: 'successful',
        receipt: 'UE4A11B2C3',
      })
    })
    isBusy = false
  })

  it('of an account that Daraja holds off keep no other account waiting, and are not put off', async () => {
    const { database } = test
    const { partnerId } = await addPartner(database)
    const shortcode = '600111'
    const accountId = await setAccount({
      database,
      vault: testVault,
      partnerId,
      account: {
        shortcode,
        transactionType: 'CustomerPayBillOnline',
        partyB: shortcode,
        consumerKey: 'key',
        consumerSecret: 'secret',
        passkey: 'passkey',
      },
      features: { uniqueReference: true, pull: { msisdn: null } },
      actor: testActor,
    })
    const held = await acceptUntouched(database, partnerId)
    await sql`
      INSERT INTO daraja_accounts (shortcode, held_until, pull_registered_at)
      VALUES (${shortcode}, now() + interval '55 seconds', now())
    `.execute(database)
    await sql`UPDATE payments SET state = 'unconfirmed', account_id = ${accountId} WHERE id = ${held}`.execute(
      database,
    )
    await sql`INSERT INTO to_confirm (payment_id, account_id) VALUES (${held}, ${accountId})`.execute(
      database,
    )

    // Two, for of the first round the other account may come first.
    for (let count = 0; count < 2; count += 1) {
      const id = await ask('254700000033')
      await eventually(async () => expect((await readPayment(database, id)).state).toBe('successful'))
    }
    const duty = database.selectFrom('to_confirm').select('pulls').where('payment_id', '=', held)
    expect(await duty.execute()).toEqual([{ pulls: 0 }])
    await sql`DELETE FROM to_confirm WHERE payment_id = ${held}`.execute(database)
  })

  it('are registered once', () => {
    expect(relay.callsTo(REGISTER_PATH)).toHaveLength(1)
  })

  it('are registered again when Daraja has forgotten the shortcode', async () => {
    isForgotten = true
    const id = await ask('254700000033')
    await eventually(() => expect(relay.callsTo(REGISTER_PATH)).toHaveLength(2))
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful' })
    })
  })

  it.each(['pull-offset-stands-still', 'pull-flat-rows', 'pull-half-a-body', 'pull-html-503'])(
    'end their walk, and settle in the end, under %s',
    async (name) => {
      await misbehave(test.simulator, { [name]: name === 'pull-flat-rows' ? 1 : 0.5 })
      const id = await ask('254700000034')
      const before = relay.callsTo(PULL_PATH).length
      await eventually(() => expect(relay.callsTo(PULL_PATH).length).toBeGreaterThan(before))
      await misbehave(test.simulator, {})
      await endHold()
      await eventually(async () => {
        expect(await readPayment(test.database, id)).toMatchObject({ state: 'successful' })
      })
    },
  )

  /** The edge's page holds the account for five seconds, which are not what is tested here. */
  const endHold = () =>
    test.database
      .updateTable('daraja_accounts')
      .set({ held_until: new Date(0) })
      .execute()

  it('find nothing of a payment that failed, and leave no duty behind', async () => {
    const id = await ask('254700000003')
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'failed', result_code: '1037' })
    })
    expect(await readDuties(test.database, id)).toEqual([])
  })
})

describe('a shortcode that Daraja does not register at first', () => {
  const ALREADY = 'ShortCode already Registered'
  const serverError = (errorMessage: string) => ({ requestId: '1', errorCode: '500.003.1001', errorMessage })

  it('puts off nothing that is to be looked for, until it is there already', async () => {
    let answer: OwnAnswer = { status: 500, json: serverError('Internal Server Error') }
    const relay = await openDarajaRelay({
      target: () => test.simulator.url,
      answer: ({ path }) => {
        if (path === REGISTER_PATH) return answer
        return path === PULL_PATH ? { status: 200, json: { ResponseCode: '1001', Response: [] } } : undefined
      },
    })
    const test: TestCore = await startTestCore({
      config: {
        daraja: { baseUrl: relay.url, uniqueReference: true, pull: { msisdn: null } },
        reconcile: { afterMs: 100 },
      },
    })
    try {
      const request = paymentRequest({ msisdn: '254700000033' })
      const { paymentId } = await test.clients.payments.requestPayment(request, { headers: test.headers })
      await eventually(() => expect(relay.callsTo(REGISTER_PATH).length).toBeGreaterThanOrEqual(3))
      const dutyOf = () =>
        test.database
          .selectFrom('to_confirm')
          .selectAll()
          .where('payment_id', '=', paymentId)
          .executeTakeFirstOrThrow()
      expect(await dutyOf()).toMatchObject({ pulls: 0 })
      expect(relay.callsTo(PULL_PATH)).toEqual([])
      answer = { status: 400, json: { ResponseStatus: '1001', ResponseDescription: ALREADY } }
      await eventually(() => expect(relay.callsTo(PULL_PATH).length).toBeGreaterThanOrEqual(1))
      expect((await dutyOf()).pulls).toBeGreaterThanOrEqual(1)
    } finally {
      await test.stop()
      await relay.close()
    }
  })
})
