import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createConsole } from '../../src/console/server.ts'
import { addDeliveries } from '../support/deliveries.ts'
import { acceptUntouched } from '../support/payments.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

// Whoever can write something that the console shows writes markup: partners, payers, endpoints, Daraja, operators, whoever
// made a statement, and whoever made the link that an operator opens.

/** Ends an attribute of either kind, then an element; each part of it would show raw. */
const MARKUP = `"'></td></title><script>x()</script><img src=x onerror=x()>`

/** What stands in a page where the text was not escaped. */
const RAW = ['<script>x', '<img src=x', '</title><script']

let test: TestConsole
let operator: TestBrowser
let pages: Record<string, string[]>

beforeAll(async () => {
  test = await openConsole()
  operator = await test.as('money')
  pages = await makeMarkedPages()
})
afterAll(() => test.stop())

/** Puts the markup wherever the schema takes a text of others; resolves with the addresses of each page that shows it. */
const makeMarkedPages = async (): Promise<Record<string, string[]>> => {
  const { database } = test
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, ${MARKUP})`.execute(database)
  const payment = await acceptUntouched(database, 7n)
  const [delivery] = await addDeliveries(database, ['https://shop.example/told'])
  await sql`
    UPDATE payments SET reference = ${MARKUP}, result_desc = ${MARKUP}, state = 'unconfirmed', metadata = ${JSON.stringify({ note: MARKUP })},
                        merchant_request_id = ${MARKUP}, created_at = now() - interval '1 hour'
    WHERE id = ${payment}
  `.execute(database)
  await sql`UPDATE deliveries SET payment_id = ${payment} WHERE id = ${delivery}`.execute(database)
  await sql`
    INSERT INTO attempts (delivery_id, number, started_at, finished_at, duration_ms, status, error_class, answer)
    VALUES (${delivery}, 1, now(), now(), 12, 500, 'status', ${MARKUP})
  `.execute(database)
  await sql`UPDATE to_deliver SET held_at = now()`.execute(database)
  await sql`
    INSERT INTO endpoints (partner_id, host, state, opens, failures, open_until, paused_at, paused_by)
    VALUES (7, 'shop.example', 'open', 1, 5, now() + interval '4 minutes', now(), ${MARKUP})
  `.execute(database)
  await sql`
    INSERT INTO payment_findings (payment_id, kind, detail) VALUES (${payment}, 'different_amount', ${MARKUP})
  `.execute(database)
  await sql`
    INSERT INTO payment_history (payment_id, from_state, to_state, cause, detail, operator)
    VALUES (${payment}, 'submitted', 'unconfirmed', 'given_up', ${MARKUP}, ${MARKUP})
  `.execute(database)
  await sql`INSERT INTO api_keys (partner_id, name, key_hash, display_prefix) VALUES (7, ${MARKUP}, '\\x00', 'mpg_12345678')`.execute(
    database,
  )
  const parameters = { outcome: 'failed', receipt: null, reason: MARKUP, anyway: true }
  await sql`
    INSERT INTO approvals (kind, payment_id, parameters, asked_by)
    VALUES ('settle_payment', ${payment}, ${JSON.stringify(parameters)}, ${MARKUP})
  `.execute(database)
  const { rows } = await sql<{ id: bigint }>`
    INSERT INTO statements (fingerprint, file_name, shortcode, covers_from, covers_to, imported_by)
    VALUES ('\\x00', ${MARKUP}, '174379', now() - interval '1 day', now(), ${MARKUP}) RETURNING id
  `.execute(database)
  const statement = rows[0]?.id
  await sql`
    INSERT INTO statement_exceptions (statement_id, kind, receipt, paid_cents, reference, completed_at)
    VALUES (${statement}, 'paid_not_known', 'UE4A11B2C3', 15000, ${MARKUP}, now())
  `.execute(database)
  const asked = (path: string, ...names: string[]) =>
    names.map((name) => `${path}?${new URLSearchParams({ [name]: MARKUP }).toString()}`)
  return {
    'GET /': ['/'],
    'GET /me': ['/me'],
    'GET /keys': ['/keys'],
    'GET /payments': [
      '/payments',
      ...asked(
        '/payments',
        'state',
        'partner',
        'since',
        'payer_of',
        'reference_of',
        'before',
        'told',
        'test',
        'other',
      ),
    ],
    'GET /payments/:id': [`/payments/${payment}`],
    'GET /payments/:id/settle': [`/payments/${payment}/settle`],
    'GET /payments/:id/erase': [`/payments/${payment}/erase`],
    'GET /approvals': ['/approvals'],
    'GET /exceptions': ['/exceptions', ...asked('/exceptions', 'kind', 'page')],
    'GET /deliveries': [
      '/deliveries',
      ...asked('/deliveries', 'state', 'partner', 'host', 'error', 'from', 'until', 'test'),
    ],
    'GET /deliveries/:id': [`/deliveries/${delivery}`],
    'GET /deliveries/all/retry': [
      '/deliveries/all/retry?state=held',
      ...asked('/deliveries/all/retry', 'host'),
    ],
    'GET /deliveries/all/cancel': [
      '/deliveries/all/cancel?state=held',
      ...asked('/deliveries/all/cancel', 'host'),
    ],
    'GET /deliveries/all/retry/done': asked('/deliveries/all/retry/done', 'host', 'asked', 'since'),
    'GET /deliveries/all/cancel/done': asked('/deliveries/all/cancel/done', 'host', 'asked', 'since'),
    'GET /deliveries/endpoints': [
      '/deliveries/endpoints',
      ...asked('/deliveries/endpoints', 'partner', 'after'),
    ],
    'GET /deliveries/endpoint': [
      '/deliveries/endpoint?partner=7&host=shop.example',
      ...asked('/deliveries/endpoint', 'host', 'partner'),
    ],
    'GET /partners': ['/partners', ...asked('/partners', 'after')],
    'GET /partners/accounts': ['/partners/accounts', ...asked('/partners/accounts', 'after')],
    'GET /partners/:id': ['/partners/7'],
    'GET /traffic': ['/traffic?partner=7', ...asked('/traffic', 'last', 'partner')],
    'GET /statements': ['/statements', ...asked('/statements', 'before')],
    'GET /statements/:id': [`/statements/${statement}`],
    'GET /statements/totals': asked('/statements/totals', 'from', 'to', 'by'),
    'GET /statement-exceptions': [
      '/statement-exceptions',
      ...asked('/statement-exceptions', 'kind', 'statement'),
    ],
    'GET /operators': ['/operators'],
    'GET /sign-in': asked('/sign-in', 'name', 'back', 'to'),
    'GET /sign-in/link': asked('/sign-in/link', 'code'),
    'GET /healthz': ['/healthz'],
    'GET /readyz': ['/readyz'],
  }
}

it('every page is asked for', async () => {
  const routes: string[] = []
  const app = await createConsole(test.parts, { onRoute: (route) => routes.push(route) })
  await app.close()
  const shown = routes.filter((route) => route.startsWith('GET ') && !route.includes('/assets/'))
  expect(Object.keys(pages).toSorted()).toEqual(shown.toSorted())
})

it('no page shows markup of others as its own', async () => {
  let shownAsText = 0
  for (const path of Object.values(pages).flat()) {
    const { status, body } = await operator.get(path)
    expect([path, status < 500]).toEqual([path, true])
    expect([path, RAW.filter((raw) => body.includes(raw))]).toEqual([path, []])
    if (body.includes('&lt;script&gt;x()')) shownAsText += 1
  }
  // It is there: the pages that show it are more than those that only repeat their address.
  expect(shownAsText).toBeGreaterThan(15)
})

it('nor do the lists as CSV begin a cell with what a spreadsheet would run', async () => {
  await sql`UPDATE payments SET reference = '=HYPERLINK("http://x")'`.execute(test.database)
  await sql`UPDATE partners SET name = '@SUM(1)' WHERE id = 7`.execute(test.database)
  await sql`UPDATE approvals SET asked_by = '+1', parameters = parameters || '{"reason":"=1+1"}'`.execute(
    test.database,
  )
  for (const path of [
    '/payments',
    '/partners',
    '/exceptions',
    '/deliveries',
    '/deliveries/endpoints',
    '/approvals',
  ]) {
    const { status, body } = await operator.get(`${path}?format=csv`)
    expect([path, status]).toEqual([path, 200])
    expect([path, /(?:^|,)"?[=@+]/m.test(body.replace('\uFEFF', ''))]).toEqual([path, false])
  }
})
