import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Actor } from '../../../src/core/audit/record-audit.ts'
import { cancelPayment } from '../../../src/core/settle/cancel-payment.ts'
import { takeDuePayments } from '../../../src/core/submit/take-due-payments.ts'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import type { PaymentStateName } from '../../../src/database/schema/payments.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import {
  acceptPayment,
  acceptPayments,
  readBodies,
  readDuties,
  readMoves,
  readPayment,
  record,
  takePayments,
} from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'

const PARTNER: Actor = { kind: 'partner', partnerId: 1n, keyId: 5n, name: 'mpg_a1b2', from: '203.0.113.9' }

let own: TestDatabase
let database: Database
beforeAll(async () => {
  own = await createTestDatabase()
  database = connectDatabase({ databaseUrl: own.url, poolSize: 8, log: quietLog })
})
afterAll(async () => {
  await database.destroy()
  await own.drop()
})

const TAKING = {
  accountId: 0n,
  since: '-infinity',
  budget: { shortcode: '174379', call: 'push', perSecond: null },
  limit: 3,
  leaseMs: 60_000,
  alsoOld: false,
} as const

const cancel = (paymentId: bigint, partnerId = 1n) =>
  cancelPayment({ database, owner: { partnerId }, paymentId, actor: PARTNER, reason: null })

const readAudit = (paymentId: bigint) =>
  database.selectFrom('audit').selectAll().where('subject_id', '=', String(paymentId)).execute()

describe('a payment that nobody was prompted for', () => {
  it('is cancelled: it fails with a code of its own, its partner gets that, and nobody is prompted', async () => {
    const id = await acceptPayment(database)
    expect(await cancel(id)).toMatchObject({ kind: 'cancelled', settlement: { from: 'accepted' } })
    expect(await readPayment(database, id)).toMatchObject({
      state: 'failed',
      result_code: 'CANCELLED',
      result_desc: 'The payment was cancelled before its payer was prompted.',
    })
    expect(await readMoves(database, id)).toEqual(['accepted>failed cancelled'])
    expect(await readDuties(database, id)).toEqual([])
    const [body] = await readBodies(database, id)
    expect(Object.keys(body ?? {})).toHaveLength(10)
    expect(body).toMatchObject({
      status: 'failed',
      result_code: 'CANCELLED',
      mpesa_receipt: null,
      merchant_request_id: null,
      checkout_request_id: null,
    })
    expect((await takePayments(database)).toPush).toEqual([])
  })

  it('has who did it in its history, and a line in the audit log', async () => {
    const id = await acceptPayment(database)
    const options = { database, owner: 'anybody', paymentId: id, reason: 'sold out' } as const
    await cancelPayment({ ...options, actor: { kind: 'operator', name: 'amina', from: 'desk-1' } })
    const moves = await database
      .selectFrom('payment_history')
      .selectAll()
      .where('payment_id', '=', id)
      .execute()
    expect(moves).toMatchObject([{ cause: 'cancelled', detail: 'sold out', operator: 'amina' }])
    expect(await readAudit(id)).toMatchObject([
      {
        actor_kind: 'operator',
        action: 'cancelled',
        subject_kind: 'payment',
        partner_id: 1n,
        before: { state: 'accepted' },
        after: { state: 'failed', result_code: 'CANCELLED', reason: 'sold out' },
      },
    ])
  })

  it('is cancelled once, however often that is asked for', async () => {
    const id = await acceptPayment(database)
    const all = await Promise.all([cancel(id), cancel(id), cancel(id)])
    expect(all.map(({ kind }) => kind)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    expect(await cancel(id)).toEqual({ kind: 'cancelled', settlement: null })
    expect(await readBodies(database, id)).toHaveLength(1)
    expect(await readAudit(id)).toMatchObject([
      { actor_kind: 'partner', actor_id: 5n, actor_name: 'mpg_a1b2', source: '203.0.113.9' },
    ])
    const moves = await database
      .selectFrom('payment_history')
      .selectAll()
      .where('payment_id', '=', id)
      .execute()
    expect(moves).toMatchObject([{ detail: 'CANCELLED', operator: 'partner 1 (mpg_a1b2)' }])
  })

  it('may have been put back, for Daraja had certainly not processed the push', async () => {
    const id = await acceptPayment(database)
    const [payment] = (await takePayments(database)).toPush
    if (payment?.id !== id) throw new Error('it was not taken')
    const outcome = {
      kind: 'later',
      code: '500.003.02',
      message: 'busy',
      afterMs: 0,
      concerns: 'whole_account',
    } as const
    const push = { paymentId: id, take: payment.takes, outcome }
    await record(database, [push])
    expect(await cancel(id)).toMatchObject({ kind: 'cancelled' })
    // The record may be repeated, and changes nothing.
    await record(database, [push])
    expect((await takePayments(database)).toPush).toEqual([])
    expect((await readMoves(database, id)).at(-1)).toBe('accepted>failed cancelled')
  })
})

describe('a payment that cannot be cancelled', () => {
  it.each<PaymentStateName>(['submitting', 'submitted', 'unconfirmed', 'successful', 'failed'])(
    'as it is %s stays as it is, and that is said',
    async (state) => {
      const id = await acceptPayment(database)
      const isSettled = state === 'successful' || state === 'failed'
      const result_code = isSettled ? (state === 'failed' ? '1032' : '0') : null
      await database.updateTable('payments').set({ state, result_code }).where('id', '=', id).execute()
      const before = await readPayment(database, id)
      expect(await cancel(id)).toEqual({ kind: 'refused', state, resultCode: result_code })
      expect(await readPayment(database, id)).toEqual(before)
      expect(await readBodies(database, id)).toEqual([])
      expect(await readAudit(id)).toEqual([])
      await sql`DELETE FROM to_submit`.execute(database)
    },
  )

  it('as it is another’s is not there', async () => {
    const id = await acceptPayment(database)
    expect(await cancel(id, 2n)).toEqual({ kind: 'not_found' })
    expect(await readPayment(database, id)).toMatchObject({ state: 'accepted' })
    expect(await cancel(999_999n)).toEqual({ kind: 'not_found' })
    expect(await cancel(id)).toMatchObject({ kind: 'cancelled' })
  })
})

describe('a payment that is cancelled while it is taken', () => {
  /** How many connections wait for a lock that another has. */
  const countWaiting = async (): Promise<number> => {
    const { rows } = await sql<{ count: number }>`
      SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'
    `.execute(database)
    return rows[0]?.count ?? 0
  }

  it('is pushed and not cancelled when the take came first, though its commit did not', async () => {
    const id = await acceptPayment(database)
    let cancelling: ReturnType<typeof cancel> | undefined
    await database.transaction().execute(async (transaction) => {
      const { toPush } = await takeDuePayments({ ...TAKING, database: transaction })
      expect(toPush.map((payment) => payment.id)).toEqual([id])
      cancelling = cancel(id)
      await eventually(async () => expect(await countWaiting()).toBe(1))
    })
    expect(await cancelling).toEqual({ kind: 'refused', state: 'submitting', resultCode: null })
    expect(await readMoves(database, id)).toEqual(['accepted>submitting taken_for_submission'])
  })

  it('is cancelled and not pushed when the cancellation came first, though its commit did not', async () => {
    const id = await acceptPayment(database)
    let cancelling: ReturnType<typeof cancel> | undefined
    await database.transaction().execute(async (transaction) => {
      await sql`LOCK TABLE audit IN EXCLUSIVE MODE`.execute(transaction)
      cancelling = cancel(id)
      await eventually(async () => expect(await countWaiting()).toBe(1))
      expect((await takePayments(database)).toPush).toEqual([])
    })
    expect(await cancelling).toMatchObject({ kind: 'cancelled' })
    expect((await takePayments(database)).toPush).toEqual([])
    expect(await readMoves(database, id)).toEqual(['accepted>failed cancelled'])
  })

  it('is either cancelled or pushed, and never both or neither, however many meet', async () => {
    const ids = await acceptPayments(database, 200)
    const pushed = new Set<bigint>()
    const cancelled = new Set<bigint>()
    const take = async (): Promise<void> => {
      while (pushed.size + cancelled.size < ids.length) {
        const { toPush } = await takeDuePayments({ ...TAKING, database })
        for (const { id } of toPush) pushed.add(id)
      }
    }
    const cancelAll = async (): Promise<void> => {
      for (const id of ids.toReversed()) {
        const { kind } = await cancel(id)
        if (kind === 'cancelled') cancelled.add(id)
      }
    }
    await Promise.all([take(), cancelAll(), cancelAll(), take()])
    expect([...pushed].filter((id) => cancelled.has(id))).toEqual([])
    expect(pushed.size + cancelled.size).toBe(ids.length)
    for (const id of ids) {
      const expected = pushed.has(id)
        ? 'accepted>submitting taken_for_submission'
        : 'accepted>failed cancelled'
      expect(await readMoves(database, id)).toEqual([expected])
      expect(await readBodies(database, id)).toHaveLength(pushed.has(id) ? 0 : 1)
    }
  })
})
