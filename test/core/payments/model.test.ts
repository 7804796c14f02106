import { array, assert, asyncProperty, boolean, constant, constantFrom, nat, oneof, record } from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PushOutcome } from '../../../src/core/daraja/stk-push.ts'
import { ARROWS, isPaymentState } from '../../../src/core/payments/states.ts'
import { cancelPayment } from '../../../src/core/settle/cancel-payment.ts'
import { settle } from '../../../src/core/settle/settle.ts'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import type { Database } from '../../../src/database/connect.ts'
import { BY_HAND, testActor } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import {
  acceptPayment,
  readBodies,
  readDuties,
  readFindings,
  readMoves,
  readPayment,
  record as recordPush,
  takePayments,
} from '../../support/payments.ts'
import { type Happening, happen, type Model, newModel, type Reply, TAKEN } from './plain-model.ts'

const RUNS = Number(process.env['MODEL_RUNS'] ?? 100)

const CHECKOUT_IDS = { ours: 'ws_CO_1', other: 'ws_CO_2' }

/** A payment has receipts of its own in each run; one is another payment's. */
const receiptOf = (id: bigint, name: string | null): string | null =>
  name === null || name === TAKEN ? name : `${name}-${id}`

const OUTCOMES: Record<Reply, PushOutcome> = {
  accepted: { kind: 'accepted', merchantRequestId: '2654-4b64', checkoutRequestId: 'ws_CO_1' },
  refused: { kind: 'refused', code: '400.002.02', message: 'Bad Request' },
  later: { kind: 'later', code: '429', message: '', afterMs: 3_600_000, concerns: 'whole_account' },
  unknown: { kind: 'unknown', reason: 'TimeoutError' },
}

const happenings = oneof(
  { weight: 4, arbitrary: record({ kind: constant('take' as const) }) },
  record({ kind: constantFrom('lease_ends' as const, 'pause_ends' as const) }),
  record({ kind: constantFrom('lease_ends' as const, 'deadline_passes' as const) }),
  record({ kind: constant('cancel' as const) }),
  {
    weight: 4,
    arbitrary: record({
      kind: constant('reply' as const),
      push: nat({ max: 2 }),
      reply: constantFrom<Reply>('accepted', 'refused', 'later', 'later', 'unknown'),
    }),
  },
  {
    weight: 3,
    arbitrary: record({
      kind: constant('witness' as const),
      by: constantFrom('callback' as const, 'query' as const, 'pull' as const, 'operator' as const),
      isPaid: boolean(),
      receipt: constantFrom('ONE', 'TWO', TAKEN, null),
      nonce: constantFrom('own' as const, 'own' as const, 'other' as const, null),
      checkoutId: constantFrom('ours' as const, 'ours' as const, 'other' as const, null),
      isAmountRight: boolean(),
    }),
  },
)

describe('a payment to which anything happens in any order', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 6 })
    database = own.database
    await database.insertInto('receipts').values({ receipt: TAKEN, payment_id: 0n }).execute()
  })
  afterAll(() => own.close())

  /** Time passes for a payment's duty to be submitted. */
  const pass = (id: bigint, change: object) =>
    database.updateTable('to_submit').set(change).where('payment_id', '=', id).execute()

  const PAST = new Date(0)

  const passDeadline = async (id: bigint): Promise<void> => {
    await pass(id, { submit_by: PAST, due_at: PAST })
    await database.updateTable('payments').set({ submit_by: PAST }).where('id', '=', id).execute()
  }

  const testify = async (id: bigint, said: Extract<Happening, { kind: 'witness' }>): Promise<unknown> => {
    const outcome = said.isPaid ? 'successful' : 'failed'
    const receipt = said.isPaid && said.by !== 'query' ? receiptOf(id, said.receipt) : null
    const isCallback = said.by === 'callback'
    const { callback_nonce: own } = await readPayment(database, id)
    if (said.by === 'operator') {
      return settleByHand(database, { ...BY_HAND, paymentId: id, outcome, receipt })
    }
    return database.transaction().execute((transaction) =>
      settle(transaction, [
        {
          paymentId: id,
          outcome,
          cause: said.by === 'operator' ? 'operator' : said.by,
          resultCode: said.isPaid ? '0' : '1037',
          resultDesc: '',
          receipt,
          amountKes: isCallback ? (said.isAmountRight ? 150 : 151) : null,
          transactionDate: null,
          merchantRequestId: null,
          checkoutRequestId: isCallback && said.checkoutId ? CHECKOUT_IDS[said.checkoutId] : null,
          ...(isCallback && {
            callback: { nonce: said.nonce === 'other' ? 'another' : said.nonce && own },
          }),
        },
      ]),
    )
  }

  /** Lets something happen to the payment; `reply` is what its push came to. */
  const act = async (id: bigint, happening: Happening, reply: Reply | null): Promise<unknown> => {
    switch (happening.kind) {
      case 'take':
        return takePayments(database)
      case 'lease_ends':
        return pass(id, { leased_until: PAST })
      case 'pause_ends':
        return pass(id, { due_at: PAST })
      case 'deadline_passes':
        return passDeadline(id)
      case 'cancel':
        return cancelPayment({ database, owner: 'anybody', paymentId: id, actor: testActor, reason: null })
      case 'reply': {
        const outcome = OUTCOMES[reply ?? happening.reply]
        return recordPush(database, [{ paymentId: id, take: happening.push + 1, outcome }])
      }
      case 'witness':
        return testify(id, happening)
      default:
        return happening satisfies never
    }
  }

  const look = async (id: bigint) => {
    const payment = await readPayment(database, id)
    const moves = await readMoves(database, id)
    const bodies = await readBodies(database, id)
    return {
      state: payment.state,
      receipt: payment.receipt,
      moves: moves.map((one) => one.replace(/ .*/, '')),
      delivered: bodies.map(({ status }) => status),
      duties: await readDuties(database, id),
      // The model knows kinds; the gateway keeps each kind once for each witness that brought it.
      findings: [...new Set(await readFindings(database, id))],
    }
  }

  const viewOf = (id: bigint, model: Model) => ({
    state: model.state,
    receipt: receiptOf(id, model.receipt),
    moves: model.moves,
    delivered: model.delivered,
    duties: [...model.duties].toSorted(),
    findings: [...model.findings].toSorted(),
  })

  /** A payment's taking may not meet those of the runs before. */
  const newPayment = async (): Promise<bigint> => {
    await sql`DELETE FROM to_submit`.execute(database)
    return acceptPayment(database)
  }

  it('is where a plain model says, after every single step', async () => {
    await assert(
      asyncProperty(array(happenings, { maxLength: 14 }), async (all) => {
        const id = await newPayment()
        const model = newModel()
        for (const happening of all) {
          if (!happen(model, happening)) continue
          await act(id, happening, happening.kind === 'reply' ? (model.pushes[happening.push] ?? null) : null)
          expect(await look(id)).toEqual(viewOf(id, model))
          // Law 2: no push is made beside one that may have prompted the payer.
          expect(model.pushes.slice(0, -1).every((reply) => reply === 'later')).toBe(true)
        }
      }),
      { numRuns: RUNS },
    )
  }, 120_000)

  it('keeps the laws when things happen at the same time', async () => {
    await assert(
      asyncProperty(
        array(array(happenings, { minLength: 2, maxLength: 4 }), { maxLength: 5 }),
        async (rounds) => {
          const id = await newPayment()
          const replies: (Reply | undefined)[] = []
          for (const round of rounds) {
            const takes = await takesOf(id)
            const possible = round.filter((one) => one.kind !== 'reply' || one.push < takes)
            for (const one of possible) if (one.kind === 'reply') replies[one.push] ??= one.reply
            await Promise.all(
              possible.map((one) => act(id, one, one.kind === 'reply' ? (replies[one.push] ?? null) : null)),
            )
            await expectLaws(id, replies)
          }
        },
      ),
      { numRuns: RUNS },
    )
  }, 120_000)

  it('never lets two of its transactions wait for each other', async () => {
    const { rows } = await sql<{ deadlocks: bigint }>`
      SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()
    `.execute(database)
    expect(rows).toEqual([{ deadlocks: 0n }])
  })

  const takesOf = async (id: bigint): Promise<number> =>
    (await readMoves(database, id)).filter((one) => one.startsWith('accepted>submitting')).length

  /** Its history is one way along the arrows to where it is, every outcome is delivered once, no push stands beside another. */
  const expectLaws = async (id: bigint, replies: readonly (Reply | undefined)[]): Promise<void> => {
    const seen = await look(id)
    let state = 'accepted'
    for (const one of seen.moves) {
      const [from = '', to = ''] = one.split('>')
      if (!isPaymentState(from) || !isPaymentState(to)) throw new Error(`no states: ${one}`)
      expect(from).toBe(state)
      expect(ARROWS[from]).toContain(to)
      state = to
    }
    expect(seen.state).toBe(state)
    const outcomes = seen.moves
      .map((one) => one.replace(/.*>/, ''))
      .filter((to) => /^(successful|failed)$/.test(to))
    expect(seen.delivered).toEqual(outcomes)
    expect(new Set(seen.delivered).size).toBe(seen.delivered.length)
    const takes = seen.moves.filter((one) => one === 'accepted>submitting').length
    for (let push = 0; push < takes - 1; push += 1) expect(replies[push]).toBe('later')
  }
})
