import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Actor } from '../../../src/core/audit/record-audit.ts'
import { countOutcomes, type OutcomeFilter } from '../../../src/core/deliveries/outcomes.ts'
import { resendOutcome, resendOutcomes } from '../../../src/core/deliveries/resend.ts'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import type { Database } from '../../../src/database/connect.ts'
import { BY_HAND } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { readDelivery, readDuty } from '../../support/deliveries.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptPayment } from '../../support/payments.ts'
import { attempted, clear, end, hold, lease, putOff } from './harness.ts'

const PARTNER: Actor = { kind: 'partner', partnerId: 1n, keyId: 5n, name: 'mpg_a1b2', from: '203.0.113.9' }

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())
beforeEach(async () => {
  await clear(database)
  await sql`TRUNCATE payments, payment_history, to_submit, receipts`.execute(database)
})

const settle = async (paymentId: bigint, outcome: 'successful' | 'failed'): Promise<bigint> => {
  const receipt = outcome === 'successful' ? `R${String(paymentId).padStart(9, '0')}` : null
  await settleByHand(database, { ...BY_HAND, paymentId, outcome, receipt })
  const { id } = await database
    .selectFrom('deliveries')
    .select('id')
    .where('payment_id', '=', paymentId)
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow()
  return id
}

/** A payment with an outcome, and its delivery. */
const ended = async (outcome: 'successful' | 'failed' = 'successful') => {
  const paymentId = await acceptPayment(database)
  return { paymentId, deliveryId: await settle(paymentId, outcome) }
}

/** How many connections wait for a lock that another has. */
const countWaiting = async (): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
  `.execute(database)
  return rows[0]?.count ?? 0
}

const readAudit = () =>
  database.selectFrom('audit').selectAll().where('action', '=', 'retried').orderBy('id').execute()

describe('an outcome', () => {
  const resend = (paymentId: bigint, partnerId = 1n) =>
    resendOutcome({ database, owner: { partnerId }, paymentId, actor: PARTNER })

  it('that was delivered is sent again under its webhook-id, and it is written down by whom', async () => {
    const { paymentId, deliveryId } = await ended()
    await attempted(database, deliveryId, { status: 200 })
    await end(database, deliveryId, 'delivered')
    const { webhook_id } = await readDelivery(database, deliveryId)
    expect(await resend(paymentId)).toMatchObject({
      kind: 'resent',
      outcome: 'retried',
      delivery: { delivery_id: deliveryId, webhook_id, state: 'pending' },
    })
    expect(await readDuty(database, deliveryId)).toMatchObject({ held_at: null })
    expect(await readAudit()).toMatchObject([
      {
        actor_kind: 'partner',
        actor_id: 5n,
        actor_name: 'mpg_a1b2',
        subject_kind: 'delivery',
        subject_id: String(deliveryId),
        partner_id: 1n,
        before: { state: 'delivered' },
        after: { state: 'pending' },
      },
    ])
  })

  it('that waits for its next attempt is sent now, and left as it is when that is asked for again', async () => {
    const { paymentId, deliveryId } = await ended()
    await putOff(database, deliveryId)
    expect(await resend(paymentId)).toMatchObject({ outcome: 'retried' })
    const duty = await readDuty(database, deliveryId)
    expect(await resend(paymentId)).toMatchObject({ outcome: 'waiting' })
    expect(await readDuty(database, deliveryId)).toEqual(duty)
    expect(await readAudit()).toHaveLength(1)
  })

  it('that is held, under way, dead or cancelled is said to be', async () => {
    const held = await ended()
    await hold(database, held.deliveryId)
    expect(await resend(held.paymentId)).toMatchObject({ outcome: 'held', delivery: { state: 'held' } })
    const underWay = await ended()
    await lease(database, underWay.deliveryId)
    expect(await resend(underWay.paymentId)).toMatchObject({
      outcome: 'under_way',
      delivery: { state: 'pending', is_under_way: true },
    })
    expect(await readAudit()).toEqual([])
    const dead = await ended()
    await end(database, dead.deliveryId, 'dead')
    expect(await resend(dead.paymentId)).toMatchObject({ outcome: 'retried', delivery: { state: 'pending' } })
  })

  it('is that of the success which came while its duty was waited for', async () => {
    const { paymentId, deliveryId } = await ended('failed')
    let resending: ReturnType<typeof resend> | undefined
    let successId = 0n
    await database.transaction().execute(async (transaction) => {
      // As a dispatcher that claims it.
      await sql`SELECT FROM to_deliver WHERE delivery_id = ${deliveryId} FOR UPDATE`.execute(transaction)
      resending = resend(paymentId)
      await eventually(async () => expect(await countWaiting()).toBe(1))
      successId = await settle(paymentId, 'successful')
    })
    expect(await resending).toMatchObject({
      kind: 'resent',
      outcome: 'waiting',
      delivery: { delivery_id: successId },
    })
  })

  it('is the latest of the payment', async () => {
    const { paymentId, deliveryId } = await ended('failed')
    await end(database, deliveryId, 'dead')
    const later = await settle(paymentId, 'successful')
    await end(database, later, 'delivered')
    expect(await resend(paymentId)).toMatchObject({ delivery: { delivery_id: later } })
    expect(await readDelivery(database, deliveryId)).toMatchObject({ state: 'dead' })
  })

  it('that is not known yet, and one of another’s payment, is not sent', async () => {
    const paymentId = await acceptPayment(database)
    expect(await resend(paymentId)).toEqual({ kind: 'no_outcome', state: 'accepted' })
    const other = await ended()
    await end(database, other.deliveryId, 'dead')
    expect(await resend(other.paymentId, 2n)).toEqual({ kind: 'not_found' })
    expect(await resend(999_999n)).toEqual({ kind: 'not_found' })
    expect(await readDelivery(database, other.deliveryId)).toMatchObject({ state: 'dead' })
  })
})

describe('outcomes that did not arrive', () => {
  const EVERY: OutcomeFilter = {
    partnerId: 1n,
    delivery: 'undelivered',
    state: null,
    reference: null,
    createdFrom: null,
    createdTo: null,
    outcomeFrom: null,
    outcomeTo: null,
  }

  const resend = (filter: Partial<OutcomeFilter> = {}, perSecond = 2) =>
    resendOutcomes({ database, filter: { ...EVERY, ...filter }, perSecond, actor: PARTNER })

  it('are sent again so many a second, oldest first, and no other’s', async () => {
    const dead = [await ended(), await ended(), await ended()]
    for (const { deliveryId } of dead) await end(database, deliveryId, 'dead')
    const delivered = await ended()
    await end(database, delivered.deliveryId, 'delivered')
    const theirs = await ended()
    await sql`UPDATE deliveries SET partner_id = 2 WHERE id = ${theirs.deliveryId}`.execute(database)
    await end(database, theirs.deliveryId, 'dead')
    expect(await countOutcomes(database, EVERY, 100)).toBe(3)
    expect(await resend()).toMatchObject({ found: 3, counts: { retried: 3 } })
    const { rows } = await sql<{ id: bigint; seconds: number }>`
      SELECT delivery_id AS id, extract(epoch FROM due_at - min(due_at) OVER ())::float8 AS seconds
      FROM to_deliver ORDER BY due_at
    `.execute(database)
    expect(rows).toEqual(dead.map(({ deliveryId }, index) => ({ id: deliveryId, seconds: index / 2 })))
    expect(await readDelivery(database, theirs.deliveryId)).toMatchObject({ state: 'dead' })
    expect(await readAudit()).toHaveLength(3)
  })

  it('that wait already, and are due as soon, are not queued twice: repeated, it changes nothing', async () => {
    const later = await ended()
    await putOff(database, later.deliveryId)
    const dead = await ended()
    await end(database, dead.deliveryId, 'dead')
    expect(await resend()).toMatchObject({ found: 2, counts: { retried: 2 } })
    const before = await database.selectFrom('to_deliver').selectAll().orderBy('delivery_id').execute()
    expect(await resend()).toMatchObject({ found: 2, changed: 0, counts: { waiting: 2 } })
    expect(await database.selectFrom('to_deliver').selectAll().orderBy('delivery_id').execute()).toEqual(
      before,
    )
    expect(await readAudit()).toHaveLength(2)
  })

  it('are those that the filter says', async () => {
    const [waiting, held, dead, cancelled] = [
      await ended(),
      await ended('failed'),
      await ended(),
      await ended(),
    ]
    await hold(database, held.deliveryId)
    await end(database, dead.deliveryId, 'dead')
    await end(database, cancelled.deliveryId, 'dead')
    await sql`UPDATE deliveries SET state = 'cancelled' WHERE id = ${cancelled.deliveryId}`.execute(database)
    await sql`UPDATE payments SET reference = 'INV-7' WHERE id = ${dead.paymentId}`.execute(database)
    const yesterday = new Date(Date.now() - 86_400_000)
    await sql`UPDATE payments SET created_at = now() - interval '2 days' WHERE id = ${waiting.paymentId}`.execute(
      database,
    )
    await sql`UPDATE deliveries SET created_at = now() - interval '2 days' WHERE id = ${held.deliveryId}`.execute(
      database,
    )
    const cases: [Partial<OutcomeFilter>, number][] = [
      [{}, 4],
      [{ delivery: 'pending' }, 1],
      [{ delivery: 'held' }, 1],
      [{ delivery: 'dead' }, 1],
      [{ delivery: 'cancelled' }, 1],
      [{ state: 'failed' }, 1],
      [{ state: 'successful' }, 3],
      [{ reference: 'INV-7' }, 1],
      [{ reference: 'INV-8' }, 0],
      [{ createdFrom: yesterday }, 3],
      [{ createdTo: yesterday }, 1],
      [{ outcomeFrom: yesterday }, 3],
      [{ outcomeTo: yesterday }, 1],
      [{ partnerId: 2n }, 0],
    ]
    for (const [filter, count] of cases)
      expect([filter, await countOutcomes(database, { ...EVERY, ...filter }, 100)]).toEqual([filter, count])
    expect(await countOutcomes(database, EVERY, 2)).toBe(2)
  })

  it('are no longer one’s own outcome after another came', async () => {
    const { paymentId, deliveryId } = await ended('failed')
    await end(database, deliveryId, 'dead')
    await end(database, await settle(paymentId, 'successful'), 'delivered')
    expect(await resend()).toMatchObject({ found: 0 })
    expect(await readDelivery(database, deliveryId)).toMatchObject({ state: 'dead' })
  })
})
