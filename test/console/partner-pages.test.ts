import { afterAll, beforeAll, expect, it } from 'vitest'
import { addPartner } from '../support/partner.ts'
import { acceptUntouched } from '../support/payments.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

const MARKUP = '<script>alert(1)</script>'

let test: TestConsole
let looking: TestBrowser
let mending: TestBrowser
let money: TestBrowser
let partnerId: bigint
let apiKey: string
/** What is wrong with an account, as Daraja sees it. */
let problem: string | null = null

beforeAll(async () => {
  test = await openConsole({ daraja: () => problem })
  const partner = await addPartner(test.database, { name: MARKUP })
  partnerId = partner.partnerId
  apiKey = partner.apiKey
  looking = await test.as('look')
  mending = await test.as('mend')
  money = await test.as('money')
})
afterAll(() => test.stop())

const keys = () =>
  test.database.selectFrom('api_keys').selectAll().where('partner_id', '=', partnerId).orderBy('id').execute()

it('lists partners, and shows one with its keys and last payments; names are text, and no key is whole', async () => {
  const id = await acceptUntouched(test.database, partnerId)
  const list = await looking.get('/partners')
  expect(list.body).toContain(`<a href="/partners/${partnerId}">&lt;script&gt;`)
  const page = await looking.get(`/partners/${partnerId}`)
  expect(page.status).toBe(200)
  expect(page.body).toContain('<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>')
  expect(page.body).toContain(`href="/payments/${id}"`)
  expect(page.body).toContain(apiKey.slice(0, 12))
  for (const { body } of [list, page]) {
    expect(body).not.toContain(MARKUP)
    expect(body).not.toContain(apiKey)
    expect(body).not.toContain('712345678')
    expect(body).not.toContain('Revoke')
  }
  expect((await looking.get('/partners?format=csv')).body).toContain(`${partnerId},${MARKUP}`)
  expect((await looking.get('/partners/999999')).status).toBe(404)
})

it('gives a new key once, rotates and revokes it, and keeps the person’s name', async () => {
  const made = await money.post(`/partners/${partnerId}/keys`, { name: 'till', kind: 'test' })
  const secret = /mpg_test_[0-9A-Za-z]+/.exec(made.body)?.[0] ?? ''
  expect(secret.length).toBeGreaterThan(20)
  const key = (await keys()).at(-1)
  expect((await money.get(`/partners/${partnerId}`)).body).not.toContain(secret)
  const rotated = await money.post(`/partners/${partnerId}/keys/${key?.id}/rotate`, {
    [`overlap-${key?.id}`]: '0',
  })
  expect(rotated.body).toMatch(/mpg_test_[0-9A-Za-z]{20}/)
  expect(rotated.body).not.toContain(secret)
  const newest = (await keys()).at(-1)
  const revoked = await mending.post(`/partners/${partnerId}/keys/${newest?.id}/revoke`)
  expect(revoked).toMatchObject({ status: 303, location: `/partners/${partnerId}` })
  const lines = await test.database
    .selectFrom('audit')
    .select(['action', 'actor_name'])
    .where('subject_kind', '=', 'key')
    .where('actor_name', 'in', ['money', 'mend'])
    .orderBy('id')
    .execute()
  expect(lines.map((line) => `${line.actor_name} ${line.action}`)).toEqual([
    'money created',
    'money rotated',
    'mend revoked',
  ])
})

it('sets bounds, and says what is wrong with them at the field', async () => {
  const set = (form: Record<string, string>) => money.post(`/partners/${partnerId}/bounds`, form)
  expect(
    await set({ callback_hosts: 'shop.example *.shop.example', max_daily_kes: '1000000' }),
  ).toMatchObject({
    status: 303,
    location: `/partners/${partnerId}`,
  })
  const page = await looking.get(`/partners/${partnerId}`)
  expect(page.body).toContain('shop.example, *.shop.example')
  expect(page.body).toContain('1000000')
  const wrong = await set({ requests_per_second: 'many' })
  expect(wrong.status).toBe(422)
  expect(wrong.body).toContain('field-requests_per_second-problem')
  const hosts = await set({ callback_hosts: 'http://' })
  expect(hosts.status).toBe(422)
  expect(hosts.body).toContain('field-callback_hosts-problem')
})

it('leaves the bounds that another operator has set since the page was opened', async () => {
  const { partnerId: id } = await addPartner(test.database, { name: 'Duka' })
  const path = `/partners/${id}/bounds`
  await money.post(path, { callback_hosts: 'duka.example', max_payment_kes: '70000' })
  const opened = formOf((await money.get(`/partners/${id}`)).body)
  expect(opened).toMatchObject({ callback_hosts: 'duka.example', max_payment_kes: '70000' })
  // Another operator lowers what it may ask for.
  await money.post(path, { ...opened, max_payment_kes: '500' })
  const others = await money.post(path, { ...opened, callback_hosts: 'duka.example lipa.example' })
  expect(others.status).toBe(303)
  const settings = () =>
    test.database
      .selectFrom('partners')
      .select(['callback_hosts', 'max_payment_kes'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
  expect(await settings()).toEqual({ callback_hosts: ['duka.example', 'lipa.example'], max_payment_kes: 500 })
  const same = await money.post(path, { ...opened, max_payment_kes: '60000' })
  expect(same.status).toBe(409)
  expect(same.body).toContain('is 500 by now')
  expect(same.body).toContain('name="was_max_payment_kes" value="500"')
  expect((await settings()).max_payment_kes).toBe(500)
})

/** What the form of the bounds on a page would send. */
const formOf = (body: string): Record<string, string> => {
  const form = /<form method="post" action="[^"]*\/bounds">.*?<\/form>/s.exec(body)?.[0] ?? ''
  const inputs = form.matchAll(/name="([^"]*)"[^>]*? value="([^"]*)"/g)
  return Object.fromEntries([...inputs].map(([, name, value]) => [name, value]))
}

it('creates a partner, whose secrets are shown that once; disables and enables it', async () => {
  const made = await money.post('/partners/create', { name: 'Shule' })
  expect(made.body).toMatch(/mpg_[0-9A-Za-z]{20}/)
  expect(made.body).toContain('whsec_')
  const id = /\/partners\/(\d+)"/.exec(made.body)?.[1] ?? ''
  await mending.post(`/partners/${id}/disable`)
  expect((await looking.get(`/partners/${id}`)).body).toContain('>disabled<')
  await mending.post(`/partners/${id}/enable`)
  expect((await looking.get(`/partners/${id}`)).body).toContain('>enabled<')
})

it('has Daraja asked with an account, and says in words what came of it', async () => {
  expect((await looking.get('/partners/accounts')).body).not.toContain(
    '<form method="post" action="/partners',
  )
  expect((await mending.get('/partners/accounts')).body).toContain('Check the default account')
  const said = async (form: Record<string, string> = {}) => {
    const done = await mending.post('/partners/accounts/check', form)
    expect(done).toMatchObject({ status: 303, location: '/partners/accounts' })
    return (await mending.get('/partners/accounts')).body
  }
  expect(await said()).toContain('Daraja lets the default account 600123 in.')
  problem = 'Daraja refuses the consumer key'
  expect(await said({ partner: String(partnerId) })).toContain(
    'The default account 600123 gets no access token: Daraja refuses the consumer key.',
  )
  expect((await mending.post('/partners/accounts/check', { partner: '999999' })).status).toBe(404)
})

it.each([
  ['create', 'mend'],
  ['ID/keys', 'mend'],
  ['ID/keys/1/rotate', 'mend'],
  ['ID/bounds', 'mend'],
  ['ID/keys/1/revoke', 'look'],
  ['ID/disable', 'look'],
  ['ID/enable', 'look'],
] as const)('refuses %s to the role %s', async (path, role) => {
  const browser = await test.as(role)
  const before = await test.database.selectFrom('audit').select('id').execute()
  expect((await browser.post(`/partners/${path.replace('ID', String(partnerId))}`)).status).toBe(403)
  expect(await test.database.selectFrom('audit').select('id').execute()).toEqual(before)
})
