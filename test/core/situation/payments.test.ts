import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptUntouched } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'
import { misbehave } from '../../support/simulator.ts'
import { AMINA } from '../deliveries/harness.ts'
import { namesOf, readTold, toldOf } from './told.ts'

// A core before a Daraja that behaves as in a bad night: each sentence is caused, and then its cause is taken away.

let test: TestCore
let receiver: CallbackReceiver

beforeAll(async () => {
  test = await startTestCore({ config: { submit: { ttlMs: 600_000 } } })
  receiver = await openCallbackReceiver(test)
})
afterAll(async () => {
  await receiver.close()
  await test.stop()
})

const ask = async (): Promise<bigint> =>
  (await test.clients.payments.requestPayment(paymentRequest(), { headers: test.headers })).paymentId

/** Nobody delivers here. */
const forgetDeliveries = () => sql`TRUNCATE to_deliver`.execute(test.database)

const stateOf = async (id: bigint) =>
  (await test.database.selectFrom('payments').select('state').where('id', '=', id).executeTakeFirstOrThrow())
    .state

const allWell = () =>
  eventually(async () => {
    await forgetDeliveries()
    expect(await namesOf(test.database)).toEqual(['all_well'])
  })

/** As if a payment had been asked for an hour before. */
const makeOld = (id: bigint) =>
  sql`UPDATE payments SET created_at = created_at - interval '1 hour' WHERE id = ${id}`.execute(test.database)

it('all_well: says so, and when the last payment was asked for', async () => {
  expect((await readTold(test.database)).sentences).toMatchObject([
    { name: 'all_well', severity: 'well', text: 'All is well. No payment has been asked for yet.' },
  ])
  const id = await ask()
  await eventually(async () => expect(await stateOf(id)).toBe('successful'))
  await allWell()
  const { created_at: at } = await test.database
    .selectFrom('payments')
    .select('created_at')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const told = await readTold(test.database)
  expect(told.lastPaymentAt).toEqual(at)
  expect(told.sentences[0]?.text).toBe(
    `All is well. The last payment was asked for at ${at.toISOString().slice(11, 16)} UTC.`,
  )
})

it('daraja_holding_off: for how long, why, and how many wait; gone when Daraja takes pushes again', async () => {
  await misbehave(test.simulator, { 'push-spike-arrest': 1 })
  const ids = [await ask(), await ask()]
  await eventually(async () => {
    await sql`UPDATE to_submit SET due_at = due_at - interval '1 minute'`.execute(test.database)
    const [held] = await toldOf(test.database, 'daraja_holding_off')
    expect(held).toMatchObject({ severity: 'look', count: 2, partner: null })
    expect(held?.text).toMatch(
      /^Daraja has held us off for \d seconds? \(shortcode 174379\): spike arrest; 2 payments wait for it\.$/,
    )
  })
  // What waits for Daraja waits for nothing else.
  expect(await toldOf(test.database, 'submit_late')).toEqual([])
  await sql`UPDATE daraja_accounts SET held_since = now() - interval '3 minutes'`.execute(test.database)
  await misbehave(test.simulator, {})
  await eventually(async () =>
    expect(await Promise.all(ids.map(stateOf))).toEqual(['successful', 'successful']),
  )
  await allWell()
})

it('account_refused: Daraja gives no access token; gone when it does', async () => {
  await sql`TRUNCATE daraja_accounts`.execute(test.database)
  const other = await startTestCore()
  try {
    await misbehave(other.simulator, { 'token-invalid-credentials': 1 })
    await other.clients.payments.requestPayment(paymentRequest(), { headers: other.headers })
    await eventually(async () => {
      const [refused] = await toldOf(other.database, 'account_refused')
      expect(refused).toMatchObject({ severity: 'urgent', command: 'gateway accounts check' })
      expect(refused?.text).toMatch(
        /^Daraja gives us no access token since \d+ seconds? \(shortcode 174379, /,
      )
    })
    await misbehave(other.simulator, {})
    await sql`UPDATE daraja_accounts SET held_until = now()`.execute(other.database)
    await eventually(async () => expect(await toldOf(other.database, 'account_refused')).toEqual([]))
  } finally {
    await other.stop()
  }
})

it('payments_unconfirmed: nobody knows whether the payer was prompted; gone when it is settled', async () => {
  await misbehave(test.simulator, { 'silence-after-prompt': 1, 'never-ends': 1 })
  const id = await ask()
  await eventually(async () => expect(await stateOf(id)).toBe('unconfirmed'))
  expect(await toldOf(test.database, 'payments_unconfirmed')).toEqual([])
  await makeOld(id)
  const [told] = await toldOf(test.database, 'payments_unconfirmed')
  expect(told).toMatchObject({
    severity: 'act',
    count: 1,
    isMore: false,
    partner: { id: test.partnerId, name: 'Duka la Wanjiku' },
    command: 'gateway payments list --overdue',
  })
  expect(told?.text).toMatch(
    /^1 payment of Duka la Wanjiku is unconfirmed, the oldest since .* UTC: nobody knows /,
  )
  await misbehave(test.simulator, {})
  await settleByHand(test.database, {
    paymentId: id,
    owner: 'anybody',
    outcome: 'failed',
    receipt: null,
    reason: 'not on the statement',
    actor: AMINA,
    anyway: true,
    isRehearsal: false,
  })
  await allWell()
})

it('payments_unconfirmed: also behind paid ones whose receipts are looked for', async () => {
  await allWell()
  await test.database.transaction().execute(async (transaction) => {
    const paid = await transaction
      .insertInto('payments')
      .values(
        Array.from({ length: 120 }, (_one, index) => ({
          partner_id: test.partnerId,
          msisdn: '254712345678',
          amount_kes: 150,
          callback_url: 'https://shop.co.ke/',
          state: index < 119 ? ('successful' as const) : ('unconfirmed' as const),
          created_at: new Date(Date.now() - 3_600_000),
          submit_by: new Date(),
        })),
      )
      .returning('id')
      .execute()
    const duties = paid.map(({ id }) => ({ payment_id: id, due_at: new Date(Date.now() + 3_600_000) }))
    await transaction.insertInto('to_confirm').values(duties).execute()
  })
  expect(await toldOf(test.database, 'payments_unconfirmed')).toMatchObject([{ count: 1, isMore: false }])
  await test.database.deleteFrom('to_confirm').execute()
  await allWell()
})

it('payments_overdue: open for too long; gone when the callback comes', async () => {
  const release = receiver.hold()
  const id = await ask()
  await eventually(async () => expect(await stateOf(id)).toBe('submitted'))
  await makeOld(id)
  const [told] = await toldOf(test.database, 'payments_overdue')
  expect(told).toMatchObject({ severity: 'act', count: 1, partner: { id: test.partnerId } })
  expect(told?.text).toMatch(/^1 payment of Duka la Wanjiku is still open, the oldest since .* UTC: neither /)
  release()
  await eventually(async () => expect(await stateOf(id)).toBe('successful'))
  await allWell()
})

it('submit_late: what waits to be pushed and nobody pushes; gone when it is pushed', async () => {
  const id = await acceptUntouched(test.database, test.partnerId)
  expect(await namesOf(test.database)).toEqual(['all_well'])
  // Of an account that nobody here can open: the loops leave it alone.
  await sql`UPDATE to_submit SET account_id = 77, due_at = now() - interval '2 minutes' WHERE payment_id = ${id}`.execute(
    test.database,
  )
  const [told] = await toldOf(test.database, 'submit_late')
  expect(told).toMatchObject({ severity: 'urgent', count: 1 })
  expect(told?.text).toMatch(
    /^1 payment waits to be pushed to Daraja, the first for 2 minutes: is gateway serve /,
  )
  await sql`UPDATE to_submit SET account_id = 0 WHERE payment_id = ${id}`.execute(test.database)
  await eventually(async () => expect(await stateOf(id)).toBe('successful'))
  await allWell()
})

it('findings_open: what did not fit, of which kind; gone once it was seen to, and a week later', async () => {
  await misbehave(test.simulator, { 'other-amount': 1 })
  const id = await ask()
  const told = await eventually(async () => {
    const [one] = await toldOf(test.database, 'findings_open')
    expect(one).toMatchObject({ severity: 'act', count: 1, command: 'gateway payments findings' })
    return one
  })
  expect(told?.text).toMatch(
    /^1 thing did not fit .* \(different amount\): compare with M-PESA’s statement\.$/,
  )
  await misbehave(test.simulator, {})
  await sql`UPDATE payment_findings SET acknowledged_at = now()`.execute(test.database)
  expect(await toldOf(test.database, 'findings_open')).toEqual([])
  await sql`UPDATE payment_findings SET acknowledged_at = NULL`.execute(test.database)
  expect(await toldOf(test.database, 'findings_open')).toHaveLength(1)
  await sql`UPDATE payment_findings SET at = at - interval '8 days'`.execute(test.database)
  expect(await toldOf(test.database, 'findings_open')).toEqual([])
  await settleByHand(test.database, {
    paymentId: id,
    owner: 'anybody',
    outcome: 'failed',
    receipt: null,
    reason: 'paid back',
    actor: AMINA,
    anyway: true,
    isRehearsal: false,
  })
  await allWell()
})
