import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelDeliveries } from '../../../src/core/deliveries/cancel.ts'
import { retryMany } from '../../../src/core/deliveries/change-many.ts'
import { retryDeliveries } from '../../../src/core/deliveries/retry.ts'
import { takeUnpublished } from '../../../src/core/outbox/publish.ts'
import type { Database } from '../../../src/database/connect.ts'
import { FROM_BEGINNING } from '../../../src/database/look-back.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries, addDelivery, readDelivery, readDuty } from '../../support/deliveries.ts'
import { AMINA, attempted, clear, EVERYTHING, end, hold, lease, putOff } from './harness.ts'

const URL = 'https://shop.co.ke/callback'

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())
beforeEach(() => clear(database))

const retry = async (ids: bigint[], sendDeliveredAgain = false) => {
  const options = { database, actor: AMINA, ids, sendDeliveredAgain, delaySeconds: 0, spacingSeconds: 0 }
  return (await retryDeliveries(options)).map(({ outcome }) => outcome)
}

const cancel = async (ids: bigint[]) => {
  const changes = await cancelDeliveries({ database, actor: AMINA, ids, reason: 'sold out' })
  return changes.map(({ outcome }) => outcome)
}

/** Due by now, to be published by now, the same in both rows. */
const expectDue = async (id: bigint): Promise<void> => {
  const [delivery, duty] = [await readDelivery(database, id), await readDuty(database, id)]
  expect(delivery).toMatchObject({ state: 'pending', ended_at: null, dead_reason: null })
  expect(duty?.due_at).toEqual(delivery.next_attempt_at)
  expect(duty?.publish_at).toEqual(delivery.next_attempt_at)
  const { rows } = await sql`SELECT due_at <= now() AS due FROM to_deliver WHERE delivery_id = ${id}`.execute(
    database,
  )
  expect(rows).toEqual([{ due: true }])
}

const readDeadLetters = async (): Promise<bigint[]> => {
  const rows = await database
    .selectFrom('dead_letters')
    .select('delivery_id')
    .orderBy('delivery_id')
    .execute()
  return rows.map((row) => row.delivery_id)
}

describe('a retry', () => {
  it('of a failure leaves alone what a later success of its payment has outlived', async () => {
    const [failed = 0n, successful = 0n] = await addDeliveries(database, [URL, URL])
    const { payment_id } = await readDelivery(database, failed)
    await database.updateTable('deliveries').set({ payment_id }).where('id', '=', successful).execute()
    await end(database, failed, 'dead')
    await end(database, successful, 'delivered')
    expect(await retry([failed, successful], true)).toEqual(['outdated', 'retried'])
    expect(await readDelivery(database, failed)).toMatchObject({ state: 'dead' })
  })

  it('of one that waits takes the place of its next attempt, and of nothing else', async () => {
    const id = await addDelivery(database, URL)
    await attempted(database, id, { status: 503, errorClass: 'status' })
    await putOff(database, id)
    expect(await retry([id])).toEqual(['retried'])
    await expectDue(id)
    expect(await readDelivery(database, id)).toMatchObject({ attempts: 1, schedule_from: 0 })
    expect((await takeUnpublished(database, FROM_BEGINNING)).map(({ delivery_id }) => delivery_id)).toEqual([
      id,
    ])
  })

  it('of one that is dead lets its schedule begin anew, under the same webhook-id', async () => {
    const id = await addDelivery(database, URL)
    await attempted(database, id, { status: 503, errorClass: 'status' })
    await end(database, id, 'dead')
    const { webhook_id } = await readDelivery(database, id)
    expect(await retry([id])).toEqual(['retried'])
    await expectDue(id)
    expect(await readDelivery(database, id)).toMatchObject({ webhook_id, attempts: 1, schedule_from: 1 })
    expect(await readDeadLetters()).toEqual([])
    expect(await readDuty(database, id)).toMatchObject({ partner_id: 7n, host: 'shop.co.ke', held_at: null })
  })

  it('of one that was cancelled sends it after all', async () => {
    const id = await addDelivery(database, URL)
    expect(await cancel([id])).toEqual(['cancelled'])
    expect(await retry([id])).toEqual(['retried'])
    await expectDue(id)
    expect(await readDeadLetters()).toEqual([])
  })

  it('of one that is published anew has a number that JetStream has not seen', async () => {
    const id = await addDelivery(database, URL)
    const [first] = await takeUnpublished(database, FROM_BEGINNING)
    await end(database, id, 'dead')
    await retry([id])
    const [second] = await takeUnpublished(database, FROM_BEGINNING)
    expect(second?.delivery_id).toBe(id)
    expect(second?.publish_number).not.toBe(first?.publish_number)
  })

  it('leaves alone what is under way, delivered or not there, and says so', async () => {
    const [underWay = 0n, delivered = 0n] = await addDeliveries(database, [URL, URL])
    await lease(database, underWay)
    await end(database, delivered, 'delivered')
    const before = [await readDelivery(database, underWay), await readDuty(database, underWay)]
    expect(await retry([underWay, delivered, 999_999n])).toEqual([
      'under_way',
      'already_delivered',
      'not_found',
    ])
    expect([await readDelivery(database, underWay), await readDuty(database, underWay)]).toEqual(before)
    expect(await readDuty(database, delivered)).toBeUndefined()
  })

  it('sends again what was delivered only when asked to', async () => {
    const id = await addDelivery(database, URL)
    await attempted(database, id, { status: 200 })
    await end(database, id, 'delivered')
    expect(await retry([id], true)).toEqual(['retried'])
    await expectDue(id)
    expect(await readDelivery(database, id)).toMatchObject({ schedule_from: 1 })
  })

  it('leaves to the endpoint when what it holds goes out', async () => {
    const id = await addDelivery(database, URL)
    await putOff(database, id)
    await hold(database, id)
    expect(await retry([id])).toEqual(['held'])
    await expectDue(id)
    expect((await readDuty(database, id))?.held_at).not.toBeNull()
  })

  it('of one that was lost with its dispatcher does not hide that it was', async () => {
    const id = await addDelivery(database, URL)
    await sql`UPDATE to_deliver SET leased_until = now() - interval '1 second'`.execute(database)
    const before = (await readDuty(database, id))?.leased_until
    expect(await retry([id])).toEqual(['retried'])
    expect((await readDuty(database, id))?.leased_until).toEqual(before)
  })

  it('from many places at once makes one duty of each, and never ends in a deadlock', async () => {
    const ids = await addDeliveries(
      database,
      Array.from({ length: 60 }, () => URL),
    )
    for (const id of ids.slice(0, 30)) await end(database, id, 'dead')
    const outcomes = await Promise.all([retry(ids), retry(ids.toReversed()), cancel(ids), retry(ids)])
    expect(outcomes.flat()).not.toContain('not_found')
    const { rows } = await sql`
      SELECT (SELECT count(*)::int FROM deliveries WHERE state = 'pending') AS pending,
             (SELECT count(*)::int FROM to_deliver) AS duties,
             (SELECT count(*)::int FROM deliveries WHERE state = 'cancelled') AS cancelled,
             (SELECT count(*)::int FROM dead_letters) AS letters
    `.execute(database)
    const [{ pending, duties, cancelled, letters }] = rows as [Record<string, number>]
    expect([duties, letters, (pending ?? 0) + (cancelled ?? 0)]).toEqual([pending, cancelled, 60])
  })
})

describe('many', () => {
  it('that fit are retried, and those that do not are left alone', async () => {
    const theirs = await addDelivery(database, 'https://other.co.ke/', 8n)
    const ids = await addDeliveries(
      database,
      Array.from({ length: 1_203 }, () => URL),
    )
    await sql`UPDATE deliveries SET state = 'dead', dead_reason = 'gone'`.execute(database)
    await sql`DELETE FROM to_deliver`.execute(database)
    await sql`
      INSERT INTO dead_letters (delivery_id, partner_id, host, reason) SELECT id, partner_id, host, 'gone' FROM deliveries
    `.execute(database)
    const filter = { ...EVERYTHING, partnerId: 7n, state: 'dead' as const }
    const options = { database, actor: AMINA, sendDeliveredAgain: false, perSecond: null }
    expect(await retryMany({ ...options, selection: { filter } })).toEqual({
      found: 1_203,
      changed: 1_203,
      counts: { retried: 1_203 },
      changes: [],
    })
    expect(await readDeadLetters()).toEqual([theirs])
    expect(await takeUnpublished(database, FROM_BEGINNING)).toHaveLength(500)
    expect(ids).toHaveLength(1_203)
  })

  it('become due so many a second, and those that are left alone take nobody’s turn', async () => {
    const ids = await addDeliveries(
      database,
      Array.from({ length: 5 }, () => URL),
    )
    await lease(database, ids[1] ?? 0n)
    const changed = await retryMany({
      database,
      actor: AMINA,
      sendDeliveredAgain: false,
      perSecond: 2,
      selection: { ids: [...ids, ids[0] ?? 0n] },
    })
    expect(changed).toMatchObject({ found: 5, changed: 4 })
    const { rows } = await sql<{ seconds: number }>`
      SELECT extract(epoch FROM due_at - min(due_at) OVER ())::float8 AS seconds FROM to_deliver
      WHERE leased_until < now() ORDER BY due_at
    `.execute(database)
    expect(rows.map(({ seconds }) => seconds)).toEqual([0, 0.5, 1, 1.5])
  })
})

describe('a cancellation', () => {
  it('ends what waits, and keeps who wanted it and why', async () => {
    const id = await addDelivery(database, URL)
    await attempted(database, id, { errorClass: 'dns' })
    expect(await cancel([id])).toEqual(['cancelled'])
    expect(await readDelivery(database, id)).toMatchObject({
      state: 'cancelled',
      next_attempt_at: null,
      ended_at: expect.any(Date),
      dead_reason: 'cancelled by amina: sold out',
    })
    expect(await readDuty(database, id)).toBeUndefined()
    expect(await database.selectFrom('dead_letters').selectAll().execute()).toMatchObject([
      { delivery_id: id, partner_id: 7n, error_class: 'dns', reason: 'cancelled by amina: sold out' },
    ])
  })

  it('leaves alone what is under way, has ended or is not there, and says so', async () => {
    const [underWay = 0n, delivered = 0n, dead = 0n] = await addDeliveries(database, [URL, URL, URL])
    await lease(database, underWay)
    await end(database, delivered, 'delivered')
    await end(database, dead, 'dead')
    expect(await cancel([underWay, delivered, dead, 999_999n])).toEqual([
      'under_way',
      'already_delivered',
      'already_ended',
      'not_found',
    ])
    expect(await readDelivery(database, underWay)).toMatchObject({ state: 'pending' })
    expect(await readDeadLetters()).toEqual([dead])
  })
})

it('who did what to which delivery is written down with it', async () => {
  const [one = 0n, other = 0n] = await addDeliveries(database, [URL, URL])
  await lease(database, other)
  await cancel([one, other])
  await retry([one, other])
  const rows = await database.selectFrom('audit').selectAll().orderBy('id').execute()
  expect(rows).toMatchObject([
    {
      actor_name: 'amina',
      action: 'cancelled',
      subject_kind: 'delivery',
      subject_id: String(one),
      partner_id: 7n,
      before: { state: 'pending' },
      after: { state: 'cancelled', reason: 'sold out' },
    },
    {
      action: 'retried',
      subject_id: String(one),
      before: { state: 'cancelled' },
      after: { state: 'pending' },
    },
  ])
})

it('what is held is written down as held', async () => {
  const id = await addDelivery(database, URL)
  await putOff(database, id)
  await hold(database, id)
  await retry([id])
  await cancel([id])
  const rows = await database.selectFrom('audit').select(['before', 'after']).orderBy('id').execute()
  expect(rows).toMatchObject([
    { before: { state: 'held' }, after: { state: 'held' } },
    { before: { state: 'held' }, after: { state: 'cancelled' } },
  ])
})
