import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PushOutcome } from '../../../src/core/daraja/stk-push.ts'
import { settle } from '../../../src/core/settle/settle.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import {
  acceptPayment,
  readDuties,
  readFindings,
  readMoves,
  readPayment,
  record,
  takePayments,
} from '../../support/payments.ts'

const ACCEPTED: PushOutcome = {
  kind: 'accepted',
  merchantRequestId: '2654-4b64-97ff-b827b542881d3130',
  checkoutRequestId: 'ws_CO_04052026210410237712345678',
}
const LATER: PushOutcome = {
  kind: 'later',
  code: '500.003.02',
  message: 'Spike arrest violation',
  afterMs: 1,
  concerns: 'whole_account',
}
const REFUSED: PushOutcome = { kind: 'refused', code: '400.002.02', message: 'Bad Request' }
const UNKNOWN: PushOutcome = { kind: 'unknown', reason: 'TimeoutError' }

describe('the record of a push', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  /** A payment that one process took; its lease is over at once, so that others may find it. */
  const takeOne = async (leaseMs = 0): Promise<{ paymentId: bigint; take: number }> => {
    const paymentId = await acceptPayment(database)
    const { toPush } = await takePayments(database, { leaseMs })
    const taken = toPush.find(({ id }) => id === paymentId)
    if (!taken) throw new Error('it was not taken')
    return { paymentId, take: taken.takes }
  }

  it('that never came leaves an orphan: unconfirmed, to be confirmed, never pushed again', async () => {
    const { paymentId } = await takeOne()
    const again = await takePayments(database)
    expect(again.toPush).toEqual([])
    expect(again.orphans).toEqual([paymentId])
    expect(await readPayment(database, paymentId)).toMatchObject({ state: 'unconfirmed' })
    expect(await readDuties(database, paymentId)).toEqual(['confirm'])
    expect((await takePayments(database)).toPush).toEqual([])
  })

  it('that comes after its payment became unconfirmed brings the ids, and the query’s answer settles it', async () => {
    const push = await takeOne()
    await takePayments(database)
    await record(database, [{ ...push, outcome: ACCEPTED }])
    expect(await readPayment(database, push.paymentId)).toMatchObject({
      state: 'unconfirmed',
      checkout_request_id: 'ws_CO_04052026210410237712345678',
    })
    expect(await readDuties(database, push.paymentId)).toEqual(['confirm', 'query'])
    await settlePaid(push.paymentId)
    expect(await readDuties(database, push.paymentId)).toEqual([])
    expect((await readMoves(database, push.paymentId)).at(-1)).toBe('unconfirmed>successful query')
  })

  /** A payment that was pushed, and of whose taking the database knows nothing: a fail-over has lost that commit. */
  const takeBeforeFailOver = async (): Promise<{ paymentId: bigint; take: number }> => ({
    paymentId: await acceptPayment(database),
    take: 1,
  })

  it('whose taking a fail-over has lost takes the payment anew: nobody is prompted again, and the query settles it', async () => {
    const push = await takeBeforeFailOver()
    await record(database, [{ ...push, outcome: ACCEPTED }])
    expect(await readPayment(database, push.paymentId)).toMatchObject({
      state: 'submitted',
      checkout_request_id: 'ws_CO_04052026210410237712345678',
    })
    expect(await readDuties(database, push.paymentId)).toEqual(['query'])
    expect((await takePayments(database)).toPush).toEqual([])
    expect(await readMoves(database, push.paymentId)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>submitted push_accepted',
    ])
  })

  it.each([
    ['is unknown', UNKNOWN, 'unconfirmed', ['confirm']],
    ['was a refusal', REFUSED, 'failed', []],
    ['was that it is to be repeated', LATER, 'accepted', ['submit']],
  ] as const)(
    'whose taking a fail-over has lost, and whose outcome %s, leaves nothing undone',
    async (_what, outcome, state, duties) => {
      const push = await takeBeforeFailOver()
      await record(database, [{ ...push, outcome }])
      expect(await readPayment(database, push.paymentId)).toMatchObject({ state })
      expect(await readDuties(database, push.paymentId)).toEqual(duties)
    },
  )

  const settlePaid = (paymentId: bigint) =>
    database.transaction().execute((transaction) =>
      settle(transaction, [
        {
          paymentId,
          outcome: 'successful',
          cause: 'query',
          resultCode: '0',
          resultDesc: 'Paid',
          receipt: null,
          amountKes: null,
          transactionDate: null,
          merchantRequestId: null,
          checkoutRequestId: null,
        },
      ]),
    )

  it('that comes after its payment became unconfirmed, and says that nothing was done, fails it', async () => {
    const [later, refused] = [await takeOne(60_000), await takeOne(60_000)]
    await endLeases()
    await takePayments(database)
    await record(database, [
      { ...later, outcome: LATER },
      { ...refused, outcome: REFUSED },
    ])
    expect(await readPayment(database, later.paymentId)).toMatchObject({
      state: 'failed',
      result_code: 'NOT_PROMPTED',
    })
    expect(await readPayment(database, refused.paymentId)).toMatchObject({ state: 'failed' })
  })

  const endLeases = () =>
    database
      .updateTable('to_submit')
      .set({ leased_until: new Date(0) })
      .execute()

  it('that is repeated after somebody else took the payment does not bring it back: nobody is prompted twice', async () => {
    const push = await takeOne()
    await record(database, [{ ...push, outcome: LATER }])
    const other = await retake(push.paymentId)
    await record(database, [{ ...push, outcome: LATER }])
    expect(await readPayment(database, push.paymentId)).toMatchObject({ state: 'submitting' })
    await record(database, [{ ...other, outcome: UNKNOWN }])
    await record(database, [{ ...push, outcome: LATER }])
    expect(await readPayment(database, push.paymentId)).toMatchObject({ state: 'unconfirmed' })
    expect(await readMoves(database, push.paymentId)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>accepted push_to_be_repeated',
      'accepted>submitting taken_for_submission',
      'submitting>unconfirmed push_outcome_unknown',
    ])
  })

  const retake = async (paymentId: bigint) => {
    await database
      .updateTable('to_submit')
      .set({ due_at: new Date(0) })
      .where('payment_id', '=', paymentId)
      .execute()
    const { toPush } = await takePayments(database)
    const taken = toPush.find(({ id }) => id === paymentId)
    if (!taken) throw new Error('it was not taken again')
    return { paymentId, take: taken.takes }
  }

  it('may be repeated, whatever it says', async () => {
    for (const outcome of [ACCEPTED, REFUSED, UNKNOWN]) {
      const push = await takeOne(60_000)
      await record(database, [{ ...push, outcome }])
      const [once, moves] = [
        await readPayment(database, push.paymentId),
        await readMoves(database, push.paymentId),
      ]
      const repeated = await record(database, [{ ...push, outcome }])
      expect(repeated.findings).toEqual([])
      expect(await readPayment(database, push.paymentId)).toEqual(once)
      expect(await readMoves(database, push.paymentId)).toEqual(moves)
    }
  })

  it('that names another push than the callback before it is a finding, and the first ids stay', async () => {
    const push = await takeOne(60_000)
    await database
      .updateTable('payments')
      .set({ state: 'failed', checkout_request_id: 'ws_CO_first' })
      .where('id', '=', push.paymentId)
      .execute()
    const { findings } = await record(database, [{ ...push, outcome: ACCEPTED }])
    expect(findings).toMatchObject([{ kind: 'different_checkout_request_id' }])
    expect(await readFindings(database, push.paymentId)).toEqual(['different_checkout_request_id'])
    expect(await readPayment(database, push.paymentId)).toMatchObject({ checkout_request_id: 'ws_CO_first' })
  })

  it('puts the first query after the prompt’s lifetime', async () => {
    const push = await takeOne(60_000)
    await record(database, [{ ...push, outcome: ACCEPTED }])
    const duty = await database
      .selectFrom('to_query')
      .selectAll()
      .where('payment_id', '=', push.paymentId)
      .executeTakeFirstOrThrow()
    const afterMs = duty.due_at.getTime() - Date.now()
    expect(afterMs).toBeGreaterThan(80_000)
    expect(afterMs).toBeLessThan(91_000)
  })
})

describe('taking payments', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  it('goes by the account’s budget, and reports when there is more', async () => {
    for (let payment = 0; payment < 3; payment += 1) await acceptPayment(database)
    const budget = { shortcode: '600100', call: 'push' as const, perSecond: 1 }
    const first = await takePayments(database, { budget })
    expect(first.toPush).toHaveLength(1)
    const second = await takePayments(database, { budget })
    expect(second.toPush).toEqual([])
    expect(second.nextInMs).toBeGreaterThan(0)
  })

  it('fails what is too old while the account is held, and prompts nobody', async () => {
    const paymentId = await acceptPayment(database)
    const budget = { shortcode: '600101', call: 'push' as const, perSecond: null }
    await database
      .insertInto('daraja_accounts')
      .values({ shortcode: '600101', held_until: new Date(Date.now() + 60_000), holds: 1 })
      .execute()
    expect((await takePayments(database, { budget })).toPush).toEqual([])
    await database
      .updateTable('to_submit')
      .set({ submit_by: new Date(0) })
      .where('payment_id', '=', paymentId)
      .execute()
    await database
      .updateTable('payments')
      .set({ submit_by: new Date(0) })
      .where('id', '=', paymentId)
      .execute()
    const taken = await takePayments(database, { budget })
    expect(taken.settlements).toHaveLength(1)
    expect(taken.nextInMs).toBeGreaterThan(50_000)
    expect(await readPayment(database, paymentId)).toMatchObject({
      state: 'failed',
      result_code: 'NOT_PROMPTED',
    })
  })
})
