import type { KyselyPlugin } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PushOutcome } from '../../../src/core/daraja/stk-push.ts'
import { recordAccepted } from '../../../src/core/submit/record-accepted.ts'
import { takeDuePayments } from '../../../src/core/submit/take-due-payments.ts'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { acceptPayments, readDuties, readMoves } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'

// What happens to each payment is one round trip to Postgres a batch, however many payments there are.

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

/** Counts the statements that go through it. */
const counted = (): { database: Database; statements: () => number } => {
  let count = 0
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      count += 1
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return { database: database.withPlugin(plugin), statements: () => count }
}

const byNumber = (one: bigint, other: bigint): number => Number(one - other)

const BUDGET = { shortcode: '174379', call: 'push', perSecond: 1000 } as const

const take = (on: Database, limit = 100) =>
  takeDuePayments({
    database: on,
    accountId: 0n,
    since: '-infinity',
    budget: BUDGET,
    limit,
    leaseMs: 60_000,
    alsoOld: true,
  })

const acceptedAs = (paymentId: bigint): PushOutcome & { kind: 'accepted' } => ({
  kind: 'accepted',
  merchantRequestId: `m-${paymentId}`,
  checkoutRequestId: `ws_CO_${paymentId}`,
})

it('a batch is taken in one statement, and what Daraja took of it is recorded in one', async () => {
  const ids = await acceptPayments(database, 12)
  // The account has its bucket from the first time on.
  await take(database, 0)
  const taking = counted()
  const { toPush } = await take(taking.database)
  expect(toPush.map(({ id }) => id).toSorted(byNumber)).toEqual(ids)
  expect(taking.statements()).toBe(1)
  const recording = counted()
  const recorded = await recordAccepted({
    database: recording.database,
    reconcileAfterMs: 90_000,
    random: () => 0,
    pushes: toPush.map(({ id, takes }) => ({ paymentId: id, take: takes, outcome: acceptedAs(id) })),
  })
  expect([...recorded].toSorted(byNumber)).toEqual(ids)
  expect(recording.statements()).toBe(1)
  for (const id of ids) {
    expect(await readDuties(database, id)).toEqual(['query'])
    expect(await readMoves(database, id)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>submitted push_accepted',
    ])
  }
})

it('replicas that take at once take each payment once, and no more than the budget of all lets out', async () => {
  const ids = await acceptPayments(database, 300)
  const taken: bigint[] = []
  const takeAll = async (): Promise<void> => {
    while (taken.length < ids.length) {
      const { toPush } = await take(database, 7)
      taken.push(...toPush.map(({ id }) => id))
      expect(toPush.length).toBeLessThanOrEqual(7)
    }
  }
  const before = performance.now()
  await Promise.all(Array.from({ length: 8 }, takeAll))
  const tookMs = performance.now() - before
  expect(taken.toSorted(byNumber)).toEqual(ids)
  // A burst, what refilled meanwhile, and that by a clock that stood at the beginning of a transaction.
  expect(taken.length).toBeLessThanOrEqual(51 + (tookMs + 50) * 1.1)
})

it('records that meet those of others for the same payments wait for them, and no two for each other', async () => {
  const ids = await acceptPayments(database, 100)
  const taken: { id: bigint; takes: number }[] = []
  while (taken.length < ids.length) taken.push(...(await take(database)).toPush)
  const pushes = taken.map(({ id, takes }) => ({ paymentId: id, take: takes, outcome: acceptedAs(id) }))
  const orders = Array.from({ length: 6 }, (_none, index) =>
    pushes.toSorted((one, other) =>
      Number(
        ((one.paymentId * 37n + BigInt(index)) % 101n) - ((other.paymentId * 37n + BigInt(index)) % 101n),
      ),
    ),
  )
  const recorded = await Promise.all(
    orders.map((order) =>
      recordAccepted({ database, reconcileAfterMs: 90_000, random: () => 0, pushes: order }),
    ),
  )
  expect(recorded.reduce((sum, { size }) => sum + size, 0)).toBe(100)
  for (const id of ids) expect((await readMoves(database, id))[2]).toBeUndefined()
})
