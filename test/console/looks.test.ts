import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addPartner } from '../support/partner.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

// A page looks at so many payments or deliveries at most: where hardly any fits, it says how far it came, and leads on.

/** More than a look at one partner's comes past. */
const MANY = 5_010

let test: TestConsole
let operator: TestBrowser
let partner: bigint

beforeAll(async () => {
  test = await openConsole()
  operator = await test.as('look')
  partner = (await addPartner(test.database)).partnerId
  await sql`
    INSERT INTO payments (id, partner_id, amount_kes, state, submit_by, msisdn, callback_url)
    SELECT id, ${partner}, 7, CASE WHEN id = 3 THEN 'successful' ELSE 'failed' END::payment_state, now(), '254712345678',
           'https://shop.example/'
    FROM generate_series(1, ${MANY}::integer) id
  `.execute(test.database)
  await sql`
    INSERT INTO deliveries (id, payment_id, partner_id, webhook_id, callback_url, host, body, state)
    SELECT id, id, partner_id, 'msg_' || id || '_' || state, callback_url,
           CASE WHEN id = 3 THEN 'rare.example' ELSE 'shop.example' END, '{}', 'delivered'
    FROM payments
  `.execute(test.database)
})
afterAll(() => test.stop())

const linkOf = (body: string): string =>
  (/<a[^>]*href="([^"]*)"[^>]*>Look further back</.exec(body)?.[1] ?? '').replaceAll('&amp;', '&')

it.each([
  ['payments', () => `/payments?partner=${partner}&state=successful`, 'payment', '/payments/3'],
  ['deliveries', () => `/deliveries?partner=${partner}&host=rare.example`, 'delivery', '/deliveries/3'],
  [
    'an endpoint',
    () => `/deliveries/endpoint?partner=${partner}&host=rare.example`,
    'delivery',
    '/deliveries/3',
  ],
])(
  '%s of which hardly any fits: the page says how far it looked, and leads further',
  async (_what, path, kind, found) => {
    const { body } = await operator.get(path())
    expect(body).toContain(`It was looked as far back as ${kind} 11: there may be more before it.`)
    expect(body).not.toContain(`href="${found}"`)
    const further = await operator.get(linkOf(body))
    expect(further.body).toContain(`href="${found}"`)
    expect(further.body).not.toContain('It was looked')
  },
)

it('what failed is there at once, and CSV has all that fits', async () => {
  await sql`UPDATE payments SET state = 'successful' WHERE id > 5`.execute(test.database)
  await sql`UPDATE deliveries SET webhook_id = 'msg_' || id || '_successful' WHERE id > 5`.execute(
    test.database,
  )
  const { body } = await operator.get(`/payments?partner=${partner}&state=failed`)
  for (const id of [1, 2, 4, 5]) expect(body).toContain(`href="/payments/${id}"`)
  expect(body).not.toContain('It was looked')
  const csv = await operator.get(`/deliveries?partner=${partner}&host=rare.example&format=csv`)
  expect(csv.body.trim().split('\n')).toHaveLength(2)
})
