import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ask,
  openFacade,
  partnerHeaders,
  paymentBody,
  push,
  request,
  type TestFacade,
} from '../facade/harness.ts'
import { eventually } from '../support/eventually.ts'
import { addPartner } from '../support/partner.ts'
import { expectRefusal } from './expect-refusal.ts'

const TRANSACTIONS = '/api/v1/mpesa/transactions'

/** Its payer pays at once. */
const PAYS = '254700000000'
const CANCELS = '254700000002'

let test: TestFacade
beforeAll(async () => {
  test = await openFacade()
})
afterAll(() => test.stop())

const requestPayment = async (overrides: Record<string, unknown> = {}): Promise<number> =>
  JSON.parse((await push(test, paymentBody(overrides))).body).transaction_id

const read = async (id: number) => {
  const answer = await ask(test, `GET ${TRANSACTIONS}/${id}`, partnerHeaders(test))
  return JSON.parse(answer.body)
}

const readWhen = (id: number, status: string) =>
  eventually(async () => {
    const answer = await read(id)
    expect(answer.transaction.status).toBe(status)
    return answer
  })

describe('one transaction', () => {
  it('is shown whole once it is paid', async () => {
    const id = await requestPayment({ phone: PAYS, amount: 42 })
    const { status, transaction } = await readWhen(id, 'successful')
    expect(status).toBe('success')
    expect(Object.entries(transaction)).toEqual([
      ['transaction_id', id],
      ['status', 'successful'],
      ['phone', PAYS],
      ['amount', 42],
      ['reference', 'INV-2025-001'],
      ['callback_url', 'https://yourapp.example.com/payment_callback'],
      ['merchant_request_id', expect.any(String)],
      ['checkout_request_id', expect.stringMatching(/^ws_CO_/)],
      ['result_code', 0],
      ['result_desc', expect.any(String)],
      ['mpesa_receipt', expect.stringMatching(/^[A-Z0-9]{10}$/)],
      ['transaction_date', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)],
      ['created_at', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)],
      ['expires_at', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)],
      ['failure', null],
      ['metadata', null],
    ])
  })

  it('shows why it failed, and has no receipt then', async () => {
    const id = await requestPayment({ phone: CANCELS })
    const { transaction } = await readWhen(id, 'failed')
    expect(transaction).toMatchObject({
      result_code: 1032,
      mpesa_receipt: null,
      failure: {
        reason: 'cancelled_by_payer',
        worth_retrying: false,
        message: {
          en: 'You cancelled the request on your phone. Nothing was paid.',
          sw: 'Umeghairi ombi kwenye simu yako. Hakuna kilicholipwa.',
        },
      },
    })
  })

  it('has null for what is not known yet and for what was not given', async () => {
    const id = await requestPayment({ reference: undefined })
    expect((await readWhen(id, 'submitted')).transaction).toMatchObject({
      reference: null,
      result_code: null,
      result_desc: null,
      mpesa_receipt: null,
      transaction_date: null,
    })
  })

  it('shows a result code that is not numeric as it is', async () => {
    const id = await requestPayment()
    await readWhen(id, 'submitted')
    const failing = test.database.updateTable('payments').set({ state: 'failed', result_code: 'SFC_IC0003' })
    await failing.where('id', '=', BigInt(id)).execute()
    expect((await read(id)).transaction).toMatchObject({ status: 'failed', result_code: 'SFC_IC0003' })
  })

  it('that nobody has, and a stranger’s, are the same 404', async () => {
    const id = await requestPayment()
    const stranger = await addPartner(test.database, { name: 'Stranger' })
    const asked = [
      request(`GET ${TRANSACTIONS}/${id}`, [`X-API-KEY: ${stranger.apiKey}`]),
      request(`GET ${TRANSACTIONS}/${id + 1_000_000}`, [`X-API-KEY: ${stranger.apiKey}`]),
      request(`GET ${TRANSACTIONS}/9223372036854775807`, partnerHeaders(test)),
    ]
    for (const bytes of asked) await expectRefusal(test, bytes, 404, 'no such transaction')
  })
})

describe('the list of transactions', () => {
  type Page = { status: string; transactions: { transaction_id: number }[]; next_before: number | null }

  /** A partner of its own, so that only this test's payments are in its list. */
  const openPartner = async (payments: number) => {
    const { apiKey } = await addPartner(test.database, { name: 'Lists' })
    const headers = [`X-API-KEY: ${apiKey}`, 'Content-Type: application/json']
    const ids: number[] = []
    for (let count = 0; count < payments; count += 1) {
      const answer = await ask(
        test,
        'POST /api/v1/mpesa/stk_push',
        headers,
        paymentBody({ amount: count + 1 }),
      )
      ids.unshift(JSON.parse(answer.body).transaction_id)
    }
    const list = async (query: string): Promise<Page> =>
      JSON.parse((await ask(test, `GET ${TRANSACTIONS}${query}`, headers)).body)
    return { ids, list }
  }

  const idsOf = (page: Page): number[] => page.transactions.map((transaction) => transaction.transaction_id)

  it('is empty for a partner without payments, to the byte', async () => {
    const { apiKey } = await addPartner(test.database, { name: 'Empty' })
    const answer = await ask(test, `GET ${TRANSACTIONS}`, [`X-API-KEY: ${apiKey}`])
    expect(answer.body).toBe('{"status":"success","transactions":[],"next_before":null}')
  })

  it('is newest first, 20 at a time, and its pages meet without a gap', async () => {
    const { ids, list } = await openPartner(23)
    const first = await list('')
    expect(idsOf(first)).toEqual(ids.slice(0, 20))
    expect(first.next_before).toBe(ids[19])
    const second = await list(`?before=${first.next_before}`)
    expect(idsOf(second)).toEqual(ids.slice(20))
    expect(second.next_before).toBeNull()
  })

  /** Gives a payment a delivery of which this became. */
  const tell = async (id: number, state: 'pending' | 'delivered' | 'dead' | 'cancelled') => {
    await sql`
      WITH made AS (
        INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body, state)
        SELECT id, partner_id, gen_random_uuid()::text, callback_url, 'yourapp.example.com', '{}', ${state}
        FROM payments WHERE id = ${id} RETURNING *
      ), waits AS (
        INSERT INTO to_deliver (delivery_id, partner_id, host, held_at, due_at)
        SELECT id, partner_id, host, now(), 'infinity' FROM made WHERE state = 'pending'
      )
      INSERT INTO dead_letters (delivery_id, partner_id, host, reason)
      SELECT id, partner_id, host, 'a test' FROM made WHERE state IN ('dead', 'cancelled')
    `.execute(test.database)
  }

  it('shows a partner what it missed, in pages, and nothing of another’s', async () => {
    const { ids, list } = await openPartner(5)
    const other = await openPartner(1)
    const [cancelled = 0, delivered = 0, dead = 0, held = 0] = ids
    await tell(cancelled, 'cancelled')
    await tell(delivered, 'delivered')
    await tell(dead, 'dead')
    // It failed and then succeeded: two outcomes of one payment.
    await tell(held, 'dead')
    await tell(held, 'pending')
    await tell(other.ids[0] ?? 0, 'dead')
    expect(idsOf(await list('?delivery=undelivered'))).toEqual([cancelled, dead, held])
    const first = await list('?delivery=undelivered&limit=2')
    expect([idsOf(first), first.next_before]).toEqual([[cancelled, dead], dead])
    const last = await list(`?delivery=undelivered&limit=2&before=${first.next_before}`)
    expect([idsOf(last), last.next_before]).toEqual([[held], null])
    expect(idsOf(await list('?delivery=undelivered&status=successful'))).toEqual([])
    await eventually(async () => expect(idsOf(await list('?status=submitted'))).toEqual(ids))
    const page = await list('?delivery=undelivered&limit=1')
    expect(page.transactions).toEqual((await list(`?limit=1&before=${cancelled + 1}`)).transactions)
  })

  it('takes a limit, and says on the last full page that nothing follows', async () => {
    const { ids, list } = await openPartner(4)
    const first = await list('?limit=2')
    expect([idsOf(first), first.next_before]).toEqual([ids.slice(0, 2), ids[1]])
    const last = await list(`?limit=2&before=${first.next_before}`)
    expect([idsOf(last), last.next_before]).toEqual([ids.slice(2), null])
    expect(idsOf(await list('?limit=100'))).toEqual(ids)
  })

  it('can be of one status', async () => {
    const { ids, list } = await openPartner(2)
    await eventually(async () => expect(idsOf(await list('?status=submitted'))).toEqual(ids))
    expect(idsOf(await list('?status=unconfirmed'))).toEqual([])
  })

  it('holds each transaction as it is shown alone', async () => {
    const id = await requestPayment()
    await readWhen(id, 'submitted')
    const answer = await ask(test, `GET ${TRANSACTIONS}?limit=1`, partnerHeaders(test))
    expect(JSON.parse(answer.body).transactions).toEqual([(await read(id)).transaction])
  })
})
