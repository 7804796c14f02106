import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storeCallbacks } from '../../../src/core/callback/receive.ts'
import { type Erasure, erasePayer } from '../../../src/core/payers/erase.ts'
import { exportPayer, type PayerPage, type PayerRecord } from '../../../src/core/payers/export.ts'
import { type Msisdn, parseMsisdn } from '../../../src/values/msisdn.ts'
import { type CallbackReceiver, openCallbackReceiver } from '../../support/callback-receiver.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { dumpDatabase, tablesWith } from '../../support/dump.ts'
import { eventually } from '../../support/eventually.ts'
import { readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'
import { received } from '../callback/received.ts'

const NUMBER = '254711222333'
const DIGITS = NUMBER.slice(3)
const OTHER = '254711222334'

const actor = { kind: 'operator', name: 'wanjiku', from: 'a shell' } as const

describe('erasing a payer', () => {
  let test: TestCore
  let receiver: CallbackReceiver

  beforeAll(async () => {
    test = await startTestCore()
    receiver = await openCallbackReceiver(test)
  })
  afterAll(async () => {
    await receiver.close()
    await test.stop()
  })

  const request = async (overrides: Parameters<typeof paymentRequest>[0]): Promise<bigint> => {
    const asked = paymentRequest(overrides)
    const { paymentId } = await test.clients.payments.requestPayment(asked, { headers: test.headers })
    return paymentId
  }

  /** Asks for a payment and waits until it is paid. */
  const pay = async (overrides: Parameters<typeof paymentRequest>[0]): Promise<bigint> => {
    const id = await request(overrides)
    await eventually(async () => expect((await readPayment(test.database, id)).state).toBe('successful'))
    return id
  }

  const erase = (number: string): Promise<Erasure> => {
    const parsed = parseMsisdn(number)
    if (!parsed.ok) throw new Error(parsed.problem)
    return erasePayer({ database: test.database, msisdn: parsed.value satisfies Msisdn, actor })
  }

  /** All that is held, a payment a page. */
  const exportAll = async (number: string): Promise<PayerRecord[]> => {
    const parsed = parseMsisdn(number)
    if (!parsed.ok) throw new Error(parsed.problem)
    const records: PayerRecord[] = []
    for (let after: bigint | null = null; ; ) {
      const asked = { database: test.database, msisdn: parsed.value, after, limit: 1, actor }
      const page: PayerPage = await exportPayer(asked)
      for (const record of page.records) records.push(record)
      if (page.nextAfter === null) return records
      after = page.nextAfter
    }
  }

  /** What partners and operators wrote where the number can stand. */
  const writeEverywhere = async (id: bigint): Promise<void> => {
    const { database } = test
    await sql`UPDATE payment_history SET detail = ${`payer ${NUMBER} called`} WHERE payment_id = ${id}`.execute(
      database,
    )
    await sql`INSERT INTO payment_findings (payment_id, kind, detail) VALUES (${id}, 'x', ${`ws_CO_1${DIGITS}`})`.execute(
      database,
    )
    await sql`
      INSERT INTO attempts (delivery_id, number, answer)
      SELECT id, 1, ${`thanks 0${DIGITS}`} FROM deliveries WHERE payment_id = ${id}
    `.execute(database)
    await sql`
      INSERT INTO dead_letters (delivery_id, partner_id, host, reason)
      SELECT id, partner_id, host, ${`said ${NUMBER}`} FROM deliveries WHERE payment_id = ${id}
    `.execute(database)
    await sql`
      INSERT INTO payer_prompts (partner_id, msisdn) VALUES (999, ${NUMBER})
    `.execute(database)
    const body = Buffer.from(`phone=${NUMBER}`)
    await test.clients.darajaCallbacks.receiveStkCallback({
      token: 'nobodys',
      body,
      headers: [{ name: 'X-Phone', value: NUMBER }],
      sourceAddress: '127.0.0.1',
    })
    const headers: [string, string][] = [['X-Phone', NUMBER]]
    await storeCallbacks(database, [received({ body, headers, body_bytes: 99 })])
  }

  const reportPartners = () =>
    sql`UPDATE deliveries SET state = 'delivered', ended_at = now()`.execute(test.database)

  it('is refused while a payment of theirs is open or its delivery not made, and names it', async () => {
    const id = await pay({ msisdn: OTHER })
    expect(await erase(OTHER)).toEqual({ kind: 'open', payments: [id] })
    await reportPartners()
    const open = await request({ msisdn: OTHER, amountKes: 249_022 })
    expect(await erase(OTHER)).toEqual({ kind: 'open', payments: [open] })
    expect(tablesWith(await dumpDatabase(test.database), OTHER)).toContain('payments')
  })

  it('leaves the number nowhere, and the books right', async () => {
    const key = 'order-17'
    const url = `http://127.0.0.1:9999/callback?of=${NUMBER}`
    const id = await pay({
      msisdn: NUMBER,
      reference: `for 0${DIGITS}`,
      callbackUrl: url,
      idempotencyKey: key,
      metadata: { name: 'Wanjiku', mpesa: NUMBER },
    })
    const named = await pay({
      msisdn: '254711222335',
      reference: `for ${NUMBER}`,
      metadata: { name: 'Otieno', paid_by: `0${DIGITS}` },
    })
    await writeEverywhere(id)
    await reportPartners()
    const before = await readPayment(test.database, id)
    const mentioned = tablesWith(await dumpDatabase(test.database), DIGITS)
    expect(mentioned).toEqual([
      'attempts',
      'callbacks',
      'dead_letters',
      'deliveries',
      'payer_prompts',
      'payment_findings',
      'payment_history',
      'payments',
      'stranger_callbacks',
    ])

    // What is found when it is asked for is what is there.
    const held = await exportAll(NUMBER)
    const withNumber = held.filter(({ fields }) => JSON.stringify(fields).includes(DIGITS))
    expect([...new Set(withNumber.map(({ kind }) => kind))].toSorted()).toEqual([
      'attempt',
      'callback',
      'dead_delivery',
      'delivery',
      'finding',
      'move',
      'payment',
      'prompts',
      'stranger_callback',
    ])
    expect(held.filter(({ kind }) => kind === 'payment').map(({ fields }) => fields['id'])).toEqual([
      Number(id),
      Number(named),
    ])
    expect(JSON.stringify(held)).not.toContain('callback_nonce')

    expect(await erase(NUMBER)).toEqual({
      kind: 'erased',
      rows: { payments: 2, callbacks: 4, deliveries: 2 },
    })

    expect(tablesWith(await dumpDatabase(test.database), DIGITS)).toEqual([])
    expect(await exportAll(NUMBER)).toEqual([])
    const zeros = (text: string | null) => text?.replaceAll(DIGITS, '000000000') ?? null
    expect(await readPayment(test.database, id)).toEqual({
      ...before,
      msisdn: '254000000000',
      reference: 'for 0000000000',
      callback_url: zeros(url),
      checkout_request_id: zeros(before.checkout_request_id),
      metadata: null,
    })
    expect(await readPayment(test.database, named)).toMatchObject({
      msisdn: '254711222335',
      metadata: { name: 'Otieno', paid_by: '0000000000' },
    })
    const find = (asked: object) => test.clients.payments.listPayments(asked, { headers: test.headers })
    expect((await find({ msisdn: NUMBER })).payments).toEqual([])
    await expect(find({ msisdn: '254000000000' })).rejects.toThrow(/^\[invalid_argument\] msisdn/)
    expect((await find({ reference: 'for 0000000000' })).payments.map(({ paymentId }) => paymentId)).toEqual([
      id,
    ])
    const bodies = await test.database
      .selectFrom('callbacks')
      .select('body')
      .where('payment_id', '=', id)
      .execute()
    for (const { body } of bodies) expect(JSON.parse(body.toString())).toBeTypeOf('object')

    const again = paymentRequest({
      msisdn: NUMBER,
      reference: `for 0${DIGITS}`,
      callbackUrl: url,
      idempotencyKey: key,
    })
    await expect(test.clients.payments.requestPayment(again, { headers: test.headers })).rejects.toThrow(
      /other fields/,
    )
  })

  it('leaves other numbers as they are that have its digits in them, and finds it however it is written', async () => {
    const number = '254711555666'
    const others = 'order 17115556669 01, till 9711555666, invoice 7115556660'
    const forms = `+${number}, 0711555666,0711555666 711555666 %20${number} 00${number}\u00a0${number}.`
    const url = `http://127.0.0.1:9999/callback?order=17115556669&of=%2B${number}&or=%200711555666`
    const id = await pay({ msisdn: number, reference: 'till 9711555666', callbackUrl: url })
    await reportPartners()
    const text = `${others}; ${forms}`
    await sql`UPDATE payment_history SET detail = ${text} WHERE payment_id = ${id}`.execute(test.database)
    const body = Buffer.concat([
      Buffer.from(`${text} \u00e9${number} \\u0020${number} `),
      Buffer.from([0, 255]),
    ])
    await sql`UPDATE callbacks SET body = ${body} WHERE payment_id = ${id}`.execute(test.database)

    expect((await erase(number)).kind).toBe('erased')

    const zeros = (given: string) => given.replaceAll(/(?<!9|1)711555666(?!0|9)/g, '000000000')
    const payment = await readPayment(test.database, id)
    expect(payment).toMatchObject({ msisdn: '254000000000', reference: 'till 9711555666' })
    expect(payment.callback_url).toBe(zeros(url))
    const moves = await test.database
      .selectFrom('payment_history')
      .select('detail')
      .where('payment_id', '=', id)
      .execute()
    for (const { detail } of moves) expect(detail).toBe(zeros(text))
    const callbacks = await test.database
      .selectFrom('callbacks')
      .select('body')
      .where('payment_id', '=', id)
      .execute()
    for (const callback of callbacks)
      expect(callback.body.toString('latin1')).toBe(zeros(body.toString('latin1')))
  })

  it('finds it however it is written in the payment of another payer, and in what somebody noted of a finding', async () => {
    const number = '254711555777'
    const ids: bigint[] = []
    for (const written of ['00254711555777', '711555777', '%20711555777'])
      ids.push(await pay({ msisdn: '254722000111', reference: `for ${written}` }))
    await reportPartners()
    const note = {
      payment_id: ids[0] ?? 0n,
      kind: 'different_amount',
      detail: '',
      note: '0711555777 paid twice',
    }
    await test.database.insertInto('payment_findings').values(note).execute()

    expect((await erase(number)).kind).toBe('erased')

    for (const id of ids)
      expect((await readPayment(test.database, id)).reference).toMatch(/^for .*000000000$/)
    const noted = test.database.selectFrom('payment_findings').select('note').where('note', 'is not', null)
    expect(await noted.execute()).toEqual([{ note: '0000000000 paid twice' }])
  })

  it('is written down, with the masked number', async () => {
    const rows = await test.database
      .selectFrom('audit')
      .selectAll()
      .where('subject_kind', '=', 'payer')
      .where('subject_id', '=', '2547*****333')
      .where('action', '=', 'erased')
      .execute()
    expect(rows).toMatchObject([
      { actor_name: 'wanjiku', action: 'erased', subject_id: '2547*****333', after: { payments: 2 } },
    ])
  })

  it('of whom nothing is known changes nothing', async () => {
    expect(await erase('254799999999')).toEqual({
      kind: 'erased',
      rows: { payments: 0, callbacks: 0, deliveries: 0 },
    })
  })
})
