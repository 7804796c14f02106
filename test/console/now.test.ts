import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { typeCommand } from '../support/command.ts'
import { addDeliveries } from '../support/deliveries.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

let test: TestConsole
let looking: TestBrowser

beforeAll(async () => {
  test = await openConsole()
  looking = await test.as('look')
  await looking.get('/')
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, '<img src=x> Duka')`.execute(
    test.database,
  )
})
afterAll(() => test.stop())
beforeEach(() =>
  sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(test.database),
)

/** Holds what is for an endpoint that is down. */
const holdBack = async (count: number): Promise<void> => {
  await addDeliveries(
    test.database,
    Array.from({ length: count }, () => 'https://shop.example/told'),
  )
  await sql`UPDATE to_deliver SET held_at = now()`.execute(test.database)
  await sql`
    INSERT INTO endpoints (partner_id, host, state, opens, failures, open_until)
    VALUES (7, 'shop.example', 'open', 1, 5, now() + interval '4 minutes')
  `.execute(test.database)
}

it('says in one sentence that all is well', async () => {
  const { status, body } = await looking.get('/')
  expect(status).toBe(200)
  expect(body.match(/<li /g)).toHaveLength(1)
  expect(body).toContain('All is well.')
  expect(body).toContain('data-live-seconds="10"')
})

it('says what is wrong, how many wait, and what mends it, by a link that shows as many', async () => {
  await holdBack(3)
  const { body } = await looking.get('/')
  expect(body).not.toContain('All is well.')
  const [told = ''] = /<li [^>]*data-name="endpoint_down">.*?<\/li>/s.exec(body) ?? []
  expect(told).toContain('Count 3')
  expect(told).toContain('gateway deliveries')
  const [, path = ''] = /<a href="([^"]+)">Show it</.exec(told) ?? []
  const list = await looking.get(path.replaceAll('&amp;', '&'))
  expect(list.status).toBe(200)
  expect(list.body).toContain('<strong>3 deliveries</strong> fit.')
  await sql`TRUNCATE deliveries, to_deliver, endpoints`.execute(test.database)
  expect((await looking.get('/')).body).toContain('All is well.')
})

it('shows the name of a partner as text', async () => {
  await holdBack(1)
  const { body } = await looking.get('/')
  expect(body).toContain('&lt;img src=x&gt; Duka')
  expect(body).not.toContain('<img')
})

it('leads to the endpoints where several are down', async () => {
  await sql`
    INSERT INTO endpoints (partner_id, host, state, opens, failures, open_until)
    SELECT 7, 'shop-' || one || '.example', 'open', 1, 5, now() + interval '4 minutes' FROM generate_series(1, 40) one
  `.execute(test.database)
  const { body } = await looking.get('/')
  const paths = [...body.matchAll(/<a href="([^"]+)">Show it</g)].map(([, path = '']) =>
    path.replaceAll('&amp;', '&'),
  )
  expect(paths).toContain('/deliveries/endpoints')
  for (const path of paths) expect([path, (await looking.get(path)).status]).toEqual([path, 200])
})

it('says the same as JSON as `gateway status --json`', async () => {
  await holdBack(2)
  const { headers, body } = await looking.get('/?format=json')
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
  const typed = await typeCommand(['status', '--json'], { DATABASE_URL: test.databaseUrl })
  const [page, shell] = [body, typed.stdout].map((text) => JSON.parse(text) as Record<string, unknown>)
  expect(page).toEqual({ ...shell, at: expect.any(String) })
  expect(page?.['sentences']).toContainEqual(
    expect.objectContaining({ name: 'endpoint_down', severity: 'act', count: 2 }),
  )
})
