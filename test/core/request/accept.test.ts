import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAcceptor } from '../../../src/core/request/accept.ts'
import { parsePaymentRequest } from '../../../src/core/request/payment-request.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { forgetfulNumbers } from '../../support/forgetful-numbers.ts'
import { paymentRequest } from '../../support/requests.ts'

const requestOf = (overrides: Parameters<typeof paymentRequest>[0]) => {
  const policy = { allowHttp: true, allowPrivateNetworks: true }
  const parsed = parsePaymentRequest(paymentRequest(overrides), { policy })
  if (!('request' in parsed)) throw new Error(JSON.stringify(parsed))
  return parsed.request
}

describe('accepting payments', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 8 })
    database = own.database
  })
  afterAll(() => own.close())

  const newAcceptor = () => createAcceptor({ database, submitTtlMs: 120_000, numbers: forgetfulNumbers })

  it('stores the payment, its key and the duty to submit it in one commit', async () => {
    const request = requestOf({ idempotencyKey: 'one' })
    const acceptance = await newAcceptor().add({ partnerId: 1n, request })
    const payment = await database
      .selectFrom('payments')
      .selectAll()
      .where('id', '=', acceptance.paymentId)
      .executeTakeFirstOrThrow()
    expect(acceptance.kind).toBe('accepted')
    expect(payment).toMatchObject({
      state: 'accepted',
      partner_id: 1n,
      amount_kes: 150,
      reference: 'INV-2025-001',
    })
    expect(payment.submit_by.getTime() - payment.created_at.getTime()).toBe(120_000)
    const duty = database.selectFrom('to_submit').selectAll().where('payment_id', '=', payment.id)
    expect(await duty.execute()).toHaveLength(1)
  })

  it('lets a payer be prompted for as long as its request says, and every other for as long as the setting says', async () => {
    const seconds = [10, undefined, 86_400, 600]
    const acceptor = newAcceptor()
    const accepted = await Promise.all(
      seconds.map((expiresInSeconds) =>
        acceptor.add({ partnerId: 1n, request: requestOf({ expiresInSeconds }) }),
      ),
    )
    const lives = async (table: 'payments.submit_by' | 'to_submit.submit_by'): Promise<number[]> => {
      const rows = await database
        .selectFrom('payments')
        .innerJoin('to_submit', 'to_submit.payment_id', 'payments.id')
        .select([`${table} as until`, 'payments.created_at'])
        .where(
          'payments.id',
          'in',
          accepted.map(({ paymentId }) => paymentId),
        )
        .orderBy('payments.id')
        .execute()
      return rows.map((row) => (row.until.getTime() - row.created_at.getTime()) / 1000)
    }
    expect(new Set(await lives('payments.submit_by'))).toEqual(new Set([10, 120, 600, 86_400]))
    expect(await lives('to_submit.submit_by')).toEqual(await lives('payments.submit_by'))
  })

  it('gives every payment a larger id than those that were answered before', async () => {
    const acceptor = newAcceptor()
    const first = await acceptor.add({ partnerId: 1n, request: requestOf({}) })
    const second = await acceptor.add({ partnerId: 1n, request: requestOf({}) })
    expect(second.paymentId).toBeGreaterThan(first.paymentId)
  })

  it('answers the same key with the same payment, and knows another request from it', async () => {
    const acceptor = newAcceptor()
    const first = await acceptor.add({ partnerId: 2n, request: requestOf({ idempotencyKey: 'k' }) })
    const again = await acceptor.add({ partnerId: 2n, request: requestOf({ idempotencyKey: 'k' }) })
    const changed = await acceptor.add({
      partnerId: 2n,
      request: requestOf({ idempotencyKey: 'k', amountKes: 1 }),
    })
    expect(again).toEqual({ kind: 'duplicate', paymentId: first.paymentId })
    expect(changed).toEqual({ kind: 'key_reused', paymentId: first.paymentId })
  })

  it('keeps the keys of partners apart, exactly as written', async () => {
    const acceptor = newAcceptor()
    const keys = ['key', 'KEY', 'k ey']
    const acceptances = await Promise.all(
      [3n, 4n].flatMap((partnerId) =>
        keys.map((idempotencyKey) => acceptor.add({ partnerId, request: requestOf({ idempotencyKey }) })),
      ),
    )
    expect(acceptances.map(({ kind }) => kind)).toEqual(Array(6).fill('accepted'))
  })

  it('makes one payment of a key however many ask at once, within a batch and across processes', async () => {
    const acceptors = Array.from({ length: 4 }, newAcceptor)
    const acceptances = await Promise.all(
      Array.from({ length: 400 }, (_one, index) => {
        const request = requestOf({ idempotencyKey: `race ${index % 5}` })
        return (acceptors[index % 4] ?? newAcceptor()).add({ partnerId: 5n, request })
      }),
    )
    expect(acceptances.filter((one) => one.kind === 'accepted')).toHaveLength(5)
    expect(acceptances.filter((one) => one.kind === 'duplicate')).toHaveLength(395)
    const stored = database.selectFrom('payments').select('id').where('partner_id', '=', 5n)
    expect(await stored.execute()).toHaveLength(5)
  })

  it('never deadlocks when batches hold the same keys in different orders', async () => {
    const keys = Array.from({ length: 200 }, (_one, index) => `order ${index}`)
    const ask = (order: string[]) => {
      const acceptor = newAcceptor()
      return Promise.all(
        order.map((idempotencyKey) =>
          acceptor.add({ partnerId: 6n, request: requestOf({ idempotencyKey }) }),
        ),
      )
    }
    const acceptances = (
      await Promise.all([ask(keys), ask(keys.toReversed()), ask(keys), ask(keys.toReversed())])
    ).flat()
    expect(acceptances.filter(({ kind }) => kind === 'accepted')).toHaveLength(200)
  })

  it('lets one bad row fail alone', async () => {
    const acceptor = newAcceptor()
    const bad = { ...requestOf({}), amountKes: -1 as ReturnType<typeof requestOf>['amountKes'] }
    const results = await Promise.allSettled([
      acceptor.add({ partnerId: 7n, request: requestOf({}) }),
      acceptor.add({ partnerId: 7n, request: bad }),
      acceptor.add({ partnerId: 7n, request: requestOf({}) }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const { rows } = await sql`SELECT 1 FROM payments WHERE partner_id = 7`.execute(database)
    expect(rows).toHaveLength(2)
  })
})
