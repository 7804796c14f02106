import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storeCallbacks } from '../../../src/core/callback/receive.ts'
import { erasePayer } from '../../../src/core/payers/erase.ts'
import { exportPayer } from '../../../src/core/payers/export.ts'
import type { Evidence } from '../../../src/core/settle/evidence.ts'
import { settle } from '../../../src/core/settle/settle.ts'
import type { Database } from '../../../src/database/connect.ts'
import type { Msisdn } from '../../../src/values/msisdn.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { dumpDatabase, tablesWith } from '../../support/dump.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptPayment, readBodies, readFindings, readPayment } from '../../support/payments.ts'
import { received } from '../callback/received.ts'

const actor = { kind: 'operator', name: 'wanjiku', from: 'a shell' } as const

const PAID = {
  outcome: 'successful',
  cause: 'callback',
  resultCode: '0',
  resultDesc: 'Paid',
  receipt: 'UE4A11B2C3',
  amountKes: 150,
  transactionDate: new Date('2026-05-04T18:04:28Z'),
  merchantRequestId: '2654-4b64',
} as const satisfies Partial<Evidence>

const FAILED = {
  ...PAID,
  outcome: 'failed',
  resultCode: '1037',
  resultDesc: 'No response',
  receipt: null,
  amountKes: null,
  transactionDate: null,
} as const satisfies Partial<Evidence>

describe('what Daraja reports of a payment once its payer is erased', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  const settleWith = (evidence: Evidence) =>
    database.transaction().execute((transaction) => settle(transaction, [evidence]))

  const erase = (msisdn: Msisdn) => erasePayer({ database, msisdn, actor })

  /** A payment that failed, of which its partner was told, and whose payer was erased. */
  const eraseFailed = async (msisdn: Msisdn): Promise<{ id: bigint; checkoutRequestId: string }> => {
    const id = await acceptPayment(database)
    const checkoutRequestId = `ws_CO_04052026210410237${msisdn.slice(3)}`
    await sql`UPDATE payments SET msisdn = ${msisdn} WHERE id = ${id}`.execute(database)
    await settleWith({ ...FAILED, paymentId: id, checkoutRequestId })
    await sql`UPDATE deliveries SET state = 'delivered' WHERE payment_id = ${id}`.execute(database)
    expect(await erase(msisdn)).toMatchObject({ kind: 'erased', rows: { payments: 1 } })
    return { id, checkoutRequestId }
  }

  it('counts as ever, also that it was paid after all, and brings no number back', async () => {
    const msisdn = '254711000111' as Msisdn
    const { id, checkoutRequestId } = await eraseFailed(msisdn)
    await settleWith({ ...PAID, paymentId: id, checkoutRequestId, payerMsisdn: msisdn })
    const erasedId = 'ws_CO_04052026210410237000000000'
    expect(await readPayment(database, id)).toMatchObject({
      state: 'successful',
      receipt: PAID.receipt,
      msisdn: '254000000000',
      checkout_request_id: erasedId,
    })
    expect((await readBodies(database, id)).at(-1)).toMatchObject({
      status: 'successful',
      phone: '254000000000',
      checkout_request_id: erasedId,
    })
    expect(await readFindings(database, id)).toEqual([])
  })

  it('is held against what is known otherwise', async () => {
    const { id } = await eraseFailed('254711000222' as Msisdn)
    const checkoutRequestId = 'ws_CO_04052026999999999711000222'
    await settleWith({ ...PAID, paymentId: id, checkoutRequestId, receipt: 'UE4A11B2C4' })
    expect(await readPayment(database, id)).toMatchObject({ state: 'failed', receipt: null })
    expect(await readFindings(database, id)).toEqual(['different_checkout_request_id'])
  })

  it('is found and erased by erasing once more', async () => {
    const msisdn = '254711000333' as Msisdn
    const { id } = await eraseFailed(msisdn)
    const body = Buffer.from(`{"Name":"PhoneNumber","Value":${msisdn}}`)
    await storeCallbacks(database, [received({ payment_id: id, body })])
    await sql`DELETE FROM to_interpret`.execute(database)
    const digits = msisdn.slice(3)
    expect(tablesWith(await dumpDatabase(database), digits)).toEqual(['callbacks'])
    const { records } = await exportPayer({ database, msisdn, after: null, limit: 9, actor })
    expect(records.map(({ kind }) => kind)).toContain('callback')
    expect(await erase(msisdn)).toMatchObject({ kind: 'erased', rows: { payments: 1, callbacks: 1 } })
    expect(tablesWith(await dumpDatabase(database), digits)).toEqual([])
  })
})

describe('a payer of whose failed payment Daraja is asked again', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  it('is not erased before it has answered: it knows the prompt by an id that ends in the number', async () => {
    const msisdn = '254711000555' as Msisdn
    const id = await acceptPayment(database)
    await sql`UPDATE payments SET msisdn = ${msisdn} WHERE id = ${id}`.execute(database)
    const said = { paymentId: id, checkoutRequestId: `ws_CO_04052026210410237${msisdn.slice(3)}` }
    const settleWith = (evidence: Evidence) =>
      database.transaction().execute((transaction) => settle(transaction, [evidence]))
    await settleWith({ ...FAILED, ...said })
    await sql`UPDATE deliveries SET state = 'delivered' WHERE payment_id = ${id}`.execute(database)
    await settleWith({ ...PAID, ...said, amountKes: 151 })
    expect(await readFindings(database, id)).toEqual(['different_amount'])

    expect(await erasePayer({ database, msisdn, actor })).toEqual({ kind: 'open', payments: [id] })

    await sql`DELETE FROM to_query WHERE payment_id = ${id}`.execute(database)
    expect(await erasePayer({ database, msisdn, actor })).toMatchObject({ kind: 'erased' })
  })
})

describe('a payer who is erased while a payment of theirs is settled', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  /** How many connections wait for a lock that another has. */
  const countWaiting = async (): Promise<number> => {
    const { rows } = await sql<{ count: number }>`
      SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'
    `.execute(database)
    return rows[0]?.count ?? 0
  }

  it('is not erased before its partner was told, who else reads zeros for the phone', async () => {
    const msisdn = '254711000444' as Msisdn
    const id = await acceptPayment(database)
    await sql`UPDATE payments SET msisdn = ${msisdn} WHERE id = ${id}`.execute(database)
    const checkoutRequestId = `ws_CO_04052026210410237${msisdn.slice(3)}`
    const said = { paymentId: id, checkoutRequestId }
    await database.transaction().execute((transaction) => settle(transaction, [{ ...FAILED, ...said }]))
    await sql`UPDATE deliveries SET state = 'delivered' WHERE payment_id = ${id}`.execute(database)
    let erasing: ReturnType<typeof erasePayer> | undefined
    await database.transaction().execute(async (transaction) => {
      await settle(transaction, [{ ...PAID, ...said, payerMsisdn: msisdn }])
      erasing = erasePayer({ database, msisdn, actor })
      await eventually(async () => expect(await countWaiting()).toBe(1))
    })
    expect(await erasing).toEqual({ kind: 'open', payments: [id] })
    expect((await readBodies(database, id)).at(-1)).toMatchObject({ status: 'successful', phone: msisdn })
  })
})
