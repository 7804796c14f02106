import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BEGINNING, type EventKey } from '../../../src/core/events/cursor.ts'
import {
  hasEvent,
  type PaymentEvent,
  readEvents,
  readNewestKey,
} from '../../../src/core/events/read-events.ts'
import { movePayments } from '../../../src/core/payments/move.ts'
import type { Database } from '../../../src/database/connect.ts'
import { migrateToLatest } from '../../../src/database/migrate.ts'
import type { PaymentStateName } from '../../../src/database/schema/payments.ts'
import type { TestDatabase } from '../../support/database.ts'
import { connectTo, startOwnDatabase } from '../../support/own-database.ts'
import { acceptPayment, readMoves, readPayment } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'

// What a reader sees that takes up where it left off, whatever is under way meanwhile.

let own: TestDatabase
let database: Database
let after: EventKey
let seen: string[]

beforeAll(async () => {
  own = await startOwnDatabase({ settings: { autovacuum: 'off' } })
  database = connectTo(own)
})
beforeEach(async () => {
  after = await readNewestKey(database)
  seen = []
})
afterAll(async () => {
  await database.destroy()
  await own.drop()
})

/** Reads all that can be read by now, two events at a time. */
const readOn = async (): Promise<void> => {
  for (;;) {
    const events = await readEvents(database, { after, limit: 2 })
    if (events.length === 0) return
    seen.push(...events.map(nameOf))
    after = events.at(-1)?.key ?? after
  }
}

const nameOf = ({ key, to }: PaymentEvent): string => `${key.paymentId}.${key.number} ${to}`

/** A transaction that has its number already. */
const begin = async () => {
  const transaction = await database.startTransaction().execute()
  await sql`SELECT pg_current_xact_id()`.execute(transaction)
  return transaction
}

const move = (on: Parameters<typeof movePayments>[0], paymentId: bigint, ...way: PaymentStateName[]) =>
  movePayments(on, [
    { paymentId, from: way[0] ?? 'accepted', to: way[1] ?? 'submitting', cause: 'taken_for_submission' },
  ])

const moveAtOnce = (paymentId: bigint, ...way: PaymentStateName[]) =>
  database.transaction().execute((transaction) => move(transaction, paymentId, ...way))

describe('a reader of events', () => {
  it('gets the first event and every move once, numbered, with the payment as it is', async () => {
    const id = await acceptPayment(database)
    await readOn()
    await moveAtOnce(id, 'accepted', 'submitting')
    await moveAtOnce(id, 'submitting', 'submitted')
    await readOn()
    await readOn()
    expect(seen).toEqual([`${id}.1 accepted`, `${id}.2 submitting`, `${id}.3 submitted`])
    const [first] = await readEvents(database, { after: BEGINNING, limit: 1 })
    expect(first).toMatchObject({ from: null, payment: { state: 'submitted', amount_kes: 150 } })
    expect(await readNewestKey(database)).toEqual(after)
  })

  it('misses none that commits after one with a later number', async () => {
    const [early, late] = [await acceptPayment(database), await acceptPayment(database)]
    await readOn()
    const slow = await begin()
    await move(slow, early, 'accepted', 'submitting')
    await moveAtOnce(late, 'accepted', 'submitting')
    await readOn()
    await slow.commit().execute()
    await readOn()
    expect(seen.toSorted()).toEqual(
      [early, late].flatMap((id) => [`${id}.1 accepted`, `${id}.2 submitting`]).toSorted(),
    )
  })

  it('sees the moves of a payment in their order, also where a transaction with an earlier number made the later one', async () => {
    const id = await acceptPayment(database)
    const second = await begin()
    const bystander = await begin()
    await moveAtOnce(id, 'accepted', 'submitting')
    await move(second, id, 'submitting', 'submitted')
    await second.commit().execute()
    // All that is below the bystander's number can be read; the first of the two moves is not.
    await readOn()
    await bystander.rollback().execute()
    await readOn()
    expect(seen).toEqual([`${id}.1 accepted`, `${id}.2 submitting`, `${id}.3 submitted`])
  })

  it('sees moves by statements of the release before like any other', async () => {
    const id = await acceptPayment(database)
    await sql`
      WITH moved AS (
        UPDATE payments SET state = 'submitting' WHERE id = ${id} AND state = 'accepted' RETURNING id
      )
      INSERT INTO payment_history (payment_id, from_state, to_state, cause, at)
      SELECT id, 'accepted', 'submitting', 'taken_for_submission', clock_timestamp() FROM moved
    `.execute(database)
    await moveAtOnce(id, 'submitting', 'submitted')
    await readOn()
    expect(seen).toEqual([`${id}.1 accepted`, `${id}.2 submitting`, `${id}.3 submitted`])
    expect(await readMoves(database, id)).toHaveLength(2)
  })

  it('goes on from its cursor where the database was loaded into a server whose numbers are behind', async () => {
    const [seenBefore, open] = [await acceptPayment(database), await acceptPayment(database)]
    await moveAtOnce(seenBefore, 'accepted', 'submitting')
    // As if the server that the dump was made of had got further.
    await sql`UPDATE payments SET accepted_position = accepted_position + 1e9, event_position = event_position + 1e9`.execute(
      database,
    )
    await sql`UPDATE payment_history SET event_position = event_position + 1e9`.execute(database)
    await migrateToLatest({ databaseUrl: own.url, log: quietLog })
    await readOn()
    const cursor = after
    seen = []
    await moveAtOnce(open, 'accepted', 'submitting')
    await moveAtOnce(seenBefore, 'submitting', 'submitted')
    await readOn()
    expect(seen).toEqual([`${open}.2 submitting`, `${seenBefore}.3 submitted`])
    expect(await hasEvent(database, cursor)).toBe(true)
  })

  it('is told nothing by a payment that changes without a move', async () => {
    const id = await acceptPayment(database)
    await sql`UPDATE payments SET receipt = 'QGR7' WHERE id = ${id}`.execute(database)
    await readOn()
    expect(seen).toEqual([`${id}.1 accepted`])
    expect(await readPayment(database, id)).toMatchObject({ event_number: 1 })
  })
})
