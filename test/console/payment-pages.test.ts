import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { understand } from '../../src/console/payments/understand.ts'
import { addDelivery } from '../support/deliveries.ts'
import { addPartner } from '../support/partner.ts'
import { acceptUntouched } from '../support/payments.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

const MARKUP = '<img src=x onerror=alert(1)>'
const NUMBER = '254799000001'

let test: TestConsole
let looking: TestBrowser
let mending: TestBrowser
let money: TestBrowser
let partnerId: bigint

beforeAll(async () => {
  test = await openConsole()
  partnerId = (await addPartner(test.database, { name: MARKUP })).partnerId
  looking = await test.as('look')
  mending = await test.as('mend')
  money = await test.as('money')
})
afterAll(() => test.stop())

const makePayment = async (fields: { msisdn?: string; reference?: string } = {}): Promise<bigint> => {
  const id = await acceptUntouched(test.database, partnerId)
  const given = { msisdn: NUMBER, reference: 'INV-1', ...fields }
  await test.database.updateTable('payments').set(given).where('id', '=', id).execute()
  return id
}

const makeUnconfirmed = async (): Promise<bigint> => {
  const id = await makePayment()
  await test.database.updateTable('payments').set({ state: 'unconfirmed' }).where('id', '=', id).execute()
  await test.database.deleteFrom('to_submit').where('payment_id', '=', id).execute()
  await sql`INSERT INTO to_confirm (payment_id) VALUES (${id})`.execute(test.database)
  return id
}

const stateOf = async (id: bigint): Promise<string | undefined> =>
  (await test.database.selectFrom('payments').select('state').where('id', '=', id).executeTakeFirst())?.state

const auditOf = async (id: bigint): Promise<string[]> =>
  (
    await test.database
      .selectFrom('audit')
      .select(['action', 'actor_name'])
      .where('subject_id', '=', String(id))
      .where('subject_kind', '=', 'payment')
      .execute()
  ).map(({ action, actor_name: name }) => `${name} ${action}`)

describe('what is pasted', () => {
  it.each([
    ['17', ['payment', 'reference', 'key']],
    ['UE4A11B2C3', ['receipt', 'reference', 'key']],
    ['ue4a11b2c3', ['receipt', 'reference', 'key']],
    ['0712 345 678', ['payer', 'reference', 'key']],
    ['+254712345678', ['payer', 'reference', 'key']],
    ['254112345678', ['payer', 'reference', 'key']],
    ['INV-2025-001', ['reference', 'key']],
    ['Ä 17', ['reference']],
    ['x'.repeat(65), ['key']],
    ['  ', []],
  ])('%j may be %j', (text, kinds) => {
    expect(understand(text).map(({ kind }) => kind)).toEqual(kinds)
  })

  it('leads to the one payment, or to a list whose address holds no number and no reference', async () => {
    const [first, second] = [await makePayment(), await makePayment({ reference: '0799000001' })]
    const only = await makePayment({ msisdn: '254799000002', reference: 'ONLY-1' })
    const go = async (text: string) => (await looking.post('/payments/find', { text })).location
    expect(await go(String(first))).toBe(`/payments/${first}`)
    expect(await go('ONLY-1')).toBe(`/payments/${only}`)
    expect(await go('0799 000 001')).toBe(`/payments?payer_of=${second}`)
    const third = await makePayment({ msisdn: '254799000003', reference: 'INV-9' })
    const fourth = await makePayment({ msisdn: '254799000003', reference: 'INV-9' })
    expect(await go('INV-9')).toBe(`/payments?reference_of=${fourth}`)
    const list = await looking.get(`/payments?reference_of=${fourth}`)
    expect(list.body).toContain(`href="/payments/${third}"`)
    expect(list.body).not.toContain(`href="/payments/${first}"`)
    const nothing = await looking.post('/payments/find', { text: '254799999999' })
    expect(nothing.status).toBe(404)
    expect(nothing.body).toContain('Nothing is known by what you pasted')
    expect(nothing.body).not.toContain('254799999999')
  })
})

describe('the list', () => {
  it('filters by its address, goes on by keyset, and is CSV, with numbers masked', async () => {
    const ids = [await makePayment({ reference: MARKUP }), await makePayment()]
    const page = await looking.get(`/payments?partner=${partnerId}&state=accepted`)
    expect(page.status).toBe(200)
    for (const id of ids) expect(page.body).toContain(`href="/payments/${id}"`)
    expect(page.body).toContain('2547*****001')
    expect(page.body).not.toContain('99000001')
    expect(page.body).not.toContain(MARKUP)
    expect(page.body).toContain('&lt;img src=x')
    expect((await looking.get(`/payments?before=${ids[1]}`)).body).not.toContain(`href="/payments/${ids[1]}"`)
    expect((await looking.get('/payments?state=failed')).body).toContain('There are no such payments.')
    const csv = await looking.get('/payments?format=csv')
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(csv.body).toContain(`${ids[0]},${partnerId},accepted,150,2547*****001`)
    expect(csv.body).not.toContain('99000001')
  })

  it.each(['state=odd', 'partner=x', 'since=yesterday', 'payer_of=0'])('refuses %s', async (query) => {
    expect((await looking.get(`/payments?${query}`)).status).toBe(422)
  })
})

describe('a payment', () => {
  it('is one timeline, whoever wrote it as text, and offers what the role may do', async () => {
    const id = await makePayment({ reference: MARKUP })
    const page = await looking.get(`/payments/${id}`)
    expect(page.body).toContain('Its payer is to be prompted.')
    expect(page.body).toContain('&lt;img src=x onerror=alert(1)&gt; asked 2547*****001 for 150 KES')
    expect(page.body).not.toContain(MARKUP)
    expect(page.body).not.toContain('99000001')
    expect(page.body).not.toContain('What you can do')
    expect((await mending.get(`/payments/${id}`)).body).toContain('Cancel the payment')
    expect((await mending.get(`/payments/${id}`)).body).not.toContain('Settle by hand')
    expect((await money.get(`/payments/${id}`)).body).toContain('Settle by hand')
    expect((await looking.get('/payments/999999')).status).toBe(404)
    expect((await looking.get('/payments/x')).status).toBe(404)
  })

  it('shows its whole number once it is asked for, with the person’s name in the audit log', async () => {
    const id = await makePayment()
    const shown = await mending.post(`/payments/${id}/reveal`)
    expect(shown.status).toBe(200)
    expect(shown.body).toContain(NUMBER)
    expect(await auditOf(id)).toEqual(['mend revealed'])
    expect((await mending.get(`/payments/${id}`)).body).not.toContain(NUMBER)
  })

  it.each([
    ['reveal', 'look'],
    ['cancel', 'look'],
    ['resend', 'look'],
    ['settle', 'mend'],
    ['erase', 'mend'],
  ] as const)('refuses %s to the role %s, and changes nothing', async (verb, role) => {
    const id = await makePayment()
    const refused = await (await test.as(role)).post(`/payments/${id}/${verb}`, { confirm: String(id) })
    expect(refused.status).toBe(403)
    expect(refused.body).not.toContain(NUMBER)
    expect([await stateOf(id), await auditOf(id)]).toEqual(['accepted', []])
  })

  it('is cancelled while nobody has been prompted, and not afterwards', async () => {
    const id = await makePayment()
    const done = await mending.post(`/payments/${id}/cancel`, { reason: 'ordered twice' })
    expect(done).toMatchObject({ status: 303, location: `/payments/${id}` })
    expect((await mending.get(`/payments/${id}`)).body).toContain('mend cancelled it: ordered twice.')
    const unconfirmed = await makeUnconfirmed()
    const refused = await mending.post(`/payments/${unconfirmed}/cancel`)
    expect(refused.status).toBe(409)
    expect(refused.body).toContain('only one that nobody has been prompted for can be cancelled')
  })

  it('is settled by hand only after what would be done was shown, and confirmed', async () => {
    const id = await makeUnconfirmed()
    const given = { outcome: 'successful', receipt: 'ue4a11b2c3', reason: 'on the statement' }
    expect((await money.get(`/payments/${id}/settle`)).body).toContain('Show what it would do')
    const wrong = await money.post(`/payments/${id}/settle`, { ...given, receipt: 'short' })
    expect(wrong.status).toBe(422)
    expect(wrong.body).toContain('must be the ten letters and digits')
    const look = await money.post(`/payments/${id}/settle`, given)
    expect(look.status).toBe(200)
    expect(look.body).toContain('Nothing is changed yet')
    expect(look.body).toContain('UE4A11B2C3')
    expect(look.body).not.toContain(NUMBER)
    expect([await stateOf(id), await auditOf(id)]).toEqual(['unconfirmed', []])
    const done = await money.post(`/payments/${id}/settle`, { ...given, confirmed: 'yes' })
    expect(done.location).toBe(`/payments/${id}`)
    expect([await stateOf(id), await auditOf(id)]).toEqual(['successful', ['money settled']])
    expect((await looking.get(`/payments/${id}`)).body).toContain('money settled it as successful')
  })

  it('is settled in spite of what was shown, and of nothing that came up since', async () => {
    const id = await makeUnconfirmed()
    const given = { outcome: 'successful', receipt: 'UE4A11B2D1', reason: 'on the statement', anyway: 'on' }
    await sql`INSERT INTO to_query (payment_id, due_at) VALUES (${id}, now() + interval '1 hour')`.execute(
      test.database,
    )
    const asked = await money.post(`/payments/${id}/settle`, { ...given, anyway: '' })
    expect(asked.body).toContain('may be settled without you, for Daraja is asked for its outcome')
    const look = await money.post(`/payments/${id}/settle`, given)
    expect(look.body).toContain(`payment ${id} may be settled without you, for Daraja is asked`)
    expect(look.body).toContain('name="despite" value="may_settle_itself"')
    const confirmed = { ...given, despite: 'may_settle_itself', confirmed: 'yes' }
    await sql`
      INSERT INTO statement_exceptions (statement_id, kind, receipt, other_receipt, paid_cents, completed_at)
      VALUES (${await newStatement()}, 'reversed', 'UE4A11B2D1', 'UE4A11B2D2', 100, now())
    `.execute(test.database)
    const refused = await money.post(`/payments/${id}/settle`, confirmed)
    expect([refused.status, await stateOf(id)]).toEqual([409, 'unconfirmed'])
    expect(refused.body).toContain('says that UE4A11B2D1 was reversed')
    const again = await money.post(`/payments/${id}/settle`, given)
    expect(again.body).toContain('name="despite" value="reversed may_settle_itself"')
    expect(
      (await money.post(`/payments/${id}/settle`, { ...confirmed, despite: 'reversed may_settle_itself' }))
        .status,
    ).toBe(303)
    expect(await stateOf(id)).toBe('successful')
  })

  const newStatement = async (): Promise<bigint> => {
    const { id } = await test.database
      .insertInto('statements')
      .values({
        fingerprint: Buffer.from('one'),
        file_name: 'statement.csv',
        shortcode: '600123',
        covers_from: new Date(0),
        covers_to: new Date(0),
        imported_by: 'amina',
      })
      .returning('id')
      .executeTakeFirstOrThrow()
    return id
  }

  it('is settled as paid by hand also when it failed here, and as nothing else', async () => {
    const id = await makeUnconfirmed()
    const failed = { outcome: 'failed', reason: 'not on the statement', confirmed: 'yes' }
    expect((await money.post(`/payments/${id}/settle`, failed)).status).toBe(303)
    expect((await money.get(`/payments/${id}`)).body).toContain(`href="/payments/${id}/settle"`)
    expect((await money.get(`/payments/${id}/settle`)).body).not.toContain('not paid')
    const paid = {
      outcome: 'successful',
      receipt: 'UE4A11B2C9',
      reason: 'it is, after all',
      confirmed: 'yes',
    }
    expect((await money.post(`/payments/${id}/settle`, paid)).location).toBe(`/payments/${id}`)
    expect(await stateOf(id)).toBe('successful')
    expect((await money.get(`/payments/${id}`)).body).not.toContain(`href="/payments/${id}/settle"`)
  })

  it('has its receipt filled in by hand when it is paid and has none', async () => {
    const id = await makeUnconfirmed()
    await sql`UPDATE payments SET state = 'successful', transaction_date = now() WHERE id = ${id}`.execute(
      test.database,
    )
    expect((await money.get(`/payments/${id}`)).body).toContain(`href="/payments/${id}/settle"`)
    expect((await money.get(`/payments/${id}/settle`)).body).not.toContain('not paid')
    const given = { outcome: 'successful', receipt: 'UE4A11B2X7', reason: 'on the statement' }
    const look = await money.post(`/payments/${id}/settle`, given)
    expect(look.body).toContain('is not told: it knows that it is paid')
    expect((await money.post(`/payments/${id}/settle`, { ...given, confirmed: 'yes' })).status).toBe(303)
    expect((await money.get(`/payments/${id}`)).body).not.toContain(`href="/payments/${id}/settle"`)
  })

  it('has its outcome sent again', async () => {
    const deliveryId = await addDelivery(test.database, 'https://shop.example/paid', partnerId)
    const { payment_id: id } = await test.database
      .selectFrom('deliveries')
      .select('payment_id')
      .where('id', '=', deliveryId)
      .executeTakeFirstOrThrow()
    await sql`
      INSERT INTO payments (id, partner_id, msisdn, amount_kes, callback_url, state, submit_by)
      OVERRIDING SYSTEM VALUE VALUES (${id}, ${partnerId}, ${NUMBER}, 150, 'https://shop.example/paid', 'failed', now())
      ON CONFLICT DO NOTHING
    `.execute(test.database)
    const done = await mending.post(`/payments/${id}/resend`)
    expect(done).toMatchObject({ status: 303, location: `/payments/${id}` })
    const nothing = await mending.post(`/payments/${await makePayment()}/resend`)
    expect(nothing.body).toContain('The payment has no outcome yet.')
  })

  it('has its payer erased once its id was typed', async () => {
    const id = await makePayment({ msisdn: '254799000077' })
    await mending.post(`/payments/${id}/cancel`)
    await sql`UPDATE deliveries SET state = 'delivered' WHERE payment_id = ${id}`.execute(test.database)
    const refused = await money.post(`/payments/${id}/erase`, { confirm: 'yes' })
    expect(refused.status).toBe(422)
    const done = await money.post(`/payments/${id}/erase`, { confirm: String(id) })
    expect(done.location).toBe(`/payments/${id}`)
    const row = await test.database
      .selectFrom('payments')
      .select('msisdn')
      .where('id', '=', id)
      .executeTakeFirst()
    expect(row?.msisdn).toBe('254000000000')
    const again = await money.post(`/payments/${id}/erase`, { confirm: String(id) })
    expect(again.body).toContain('was erased before')
  })
})
