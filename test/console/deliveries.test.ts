import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { addDeliveries, readDelivery } from '../support/deliveries.ts'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

let test: TestConsole
let mending: TestBrowser
let looking: TestBrowser

beforeAll(async () => {
  test = await openConsole()
  mending = await test.as('mend')
  looking = await test.as('look')
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'Duka la Wanjiku')`.execute(
    test.database,
  )
})
afterAll(() => test.stop())
beforeEach(() =>
  sql`TRUNCATE deliveries, to_deliver, attempts, endpoints, dead_letters`.execute(test.database),
)

const add = (count: number, host = 'shop.example'): Promise<bigint[]> =>
  addDeliveries(
    test.database,
    Array.from({ length: count }, () => `https://${host}/told`),
  )

const kill = async (ids: readonly bigint[]): Promise<void> => {
  await sql`DELETE FROM to_deliver WHERE delivery_id = ANY (${ids}::bigint[])`.execute(test.database)
  await sql`UPDATE deliveries SET state = 'dead', ended_at = now() WHERE id = ANY (${ids}::bigint[])`.execute(
    test.database,
  )
  await sql`
    INSERT INTO dead_letters (delivery_id, partner_id, host, error_class, reason)
    SELECT id, partner_id, host, 'status', 'the last attempt failed' FROM deliveries WHERE id = ANY (${ids}::bigint[])
  `.execute(test.database)
}

it('show no whole number, in a reason that somebody typed, in a callback URL, or as CSV', async () => {
  const [id = 0n] = await addDeliveries(test.database, ['https://shop.example/told?payer=254712345678'])
  await mending.post(`/deliveries/${id}/cancel`, { reason: 'the payer rang, 0712345678' })
  const pages = [`/deliveries/${id}`, '/deliveries?state=cancelled', '/deliveries?state=cancelled&format=csv']
  for (const page of pages) {
    const { body } = await looking.get(page)
    expect(body).toContain('the payer rang, 0712*****678')
    expect(body).not.toContain('712345678')
  }
})

/** What the hidden fields of a form on a page hold. */
const hiddenOf = (page: string): Record<string, string> =>
  Object.fromEntries(
    [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map(
      ([, name = '', value = '']) => [name, value],
    ),
  )

const statesOf = (ids: readonly bigint[]) =>
  Promise.all(ids.map(async (id) => (await readDelivery(test.database, id)).state))

describe('all that fit', () => {
  it('are counted first, and so many are retried, at the rate that was asked for', async () => {
    const ids = await add(41)
    await kill(ids)
    const [other = 0n] = await add(1, 'other.example')
    await kill([other])
    const list = await mending.get('/deliveries?state=dead&host=shop.example')
    expect(list.body).toContain('<strong>41 deliveries</strong> fit.')
    const asked = await mending.get('/deliveries/all/retry?state=dead&host=shop.example')
    expect(asked.body).toContain('Retry 41 deliveries')
    expect(new Set(await statesOf(ids))).toEqual(new Set(['dead']))
    const done = await mending.post('/deliveries/all/retry', { ...hiddenOf(asked.body), rate: '10' })
    expect(done).toMatchObject({ status: 303 })
    const progress = await mending.get(done.location ?? '')
    expect(progress.body).toContain('41 deliveries retried.')
    expect(new Set(await statesOf(ids))).toEqual(new Set(['pending']))
    expect(await statesOf([other])).toEqual(['dead'])
    const { rows } = await sql<{ seconds: number }>`
      SELECT extract(epoch FROM max(due_at) - min(due_at))::float8 AS seconds FROM to_deliver
    `.execute(test.database)
    expect(rows[0]?.seconds).toBeCloseTo(4, 1)
  })

  it('are not changed when more fit than were counted', async () => {
    const ids = await add(2)
    await kill(ids)
    const asked = await mending.get('/deliveries/all/retry?state=dead')
    const done = await mending.post('/deliveries/all/retry', {
      ...hiddenOf(asked.body),
      counted: '1',
      rate: '10',
    })
    expect(done.status).toBe(409)
    expect(done.body).toContain('2 fit now, 1 were counted.')
    expect(new Set(await statesOf(ids))).toEqual(new Set(['dead']))
  })

  it('are counted no further than 10,000 in a list, and all of them before they are changed', async () => {
    await kill(await add(10_001))
    const list = await mending.get('/deliveries?state=dead')
    expect(list.body).toContain('<strong>10000 deliveries or more</strong> fit.')
    const asked = await mending.get('/deliveries/all/retry?state=dead')
    expect(asked.body).toContain('<strong>10001 deliveries</strong> fit, and nothing is changed yet.')
    const progress = await mending.get('/deliveries/all/retry/done?state=dead&count=1')
    expect(progress.body).toContain('10000 or more')
    expect((await looking.get('/deliveries/endpoints')).body).toContain('10000 or more')
  })

  it('are said to be at least so many where they are too many to look at each, and are all changed then', async () => {
    await sql`
      INSERT INTO dead_letters (delivery_id, partner_id, host, reason)
      SELECT nextval('deliveries_id_seq'), 7, 'gone.example', 'gone' FROM generate_series(1, 100000)
    `.execute(test.database)
    const [dead = 0n] = await add(1)
    await kill([dead])
    const asked = await mending.get('/deliveries/all/retry?state=dead')
    expect(asked.body).toContain('<strong>1 delivery or more</strong> fit, and nothing is changed yet.')
    expect(asked.body).toContain('There are too many to look at each: whatever fits is to be retried.')
    const one = { ...hiddenOf(asked.body), counted: '1', rate: '10' }
    const refused = await mending.post('/deliveries/all/retry', one)
    expect(refused).toMatchObject({
      status: 409,
      body: expect.stringContaining('1 or more fit now, 1 were counted.'),
    })
    expect(await statesOf([dead])).toEqual(['dead'])
    await mending.post('/deliveries/all/retry', { ...hiddenOf(asked.body), rate: '10' })
    expect(await statesOf([dead])).toEqual(['pending'])
  })

  it('that were cancelled are brought back by the link on the page that says so', async () => {
    const ids = await add(3)
    const asked = await mending.get('/deliveries/all/cancel?state=pending')
    const refused = await mending.post('/deliveries/all/cancel', { ...hiddenOf(asked.body), reason: '' })
    expect(refused.status).toBe(422)
    const done = await mending.post('/deliveries/all/cancel', { ...hiddenOf(asked.body), reason: 'closed' })
    expect(new Set(await statesOf(ids))).toEqual(new Set(['cancelled']))
    const progress = await mending.get(done.location ?? '')
    const [, undo = ''] = /href="(\/deliveries\/all\/retry[^"]*)"/.exec(progress.body) ?? []
    const again = await mending.get(undo.replaceAll('&amp;', '&'))
    await mending.post('/deliveries/all/retry', { ...hiddenOf(again.body), rate: '1000' })
    expect(new Set(await statesOf(ids))).toEqual(new Set(['pending']))
  })
})

describe('one delivery', () => {
  it('shows what an endpoint answered as text', async () => {
    const [id = 0n] = await add(1)
    await sql`
      INSERT INTO attempts (delivery_id, number, finished_at, status, error_class, duration_ms, answer)
      VALUES (${id}, 1, now(), 500, 'status', 12, '<script>alert(1)</script><img src=x onerror=alert(2)>')
    `.execute(test.database)
    const page = await looking.get(`/deliveries/${id}`)
    expect(page.body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;')
    expect(page.body).not.toContain('<img')
    expect(page.body).toContain('HTTP 500 (status)')
    expect(page.body).not.toContain('Retry now')
  })

  it('is cancelled with a reason and retried, in the name of who did it', async () => {
    const [id = 0n] = await add(1)
    await mending.post(`/deliveries/${id}/cancel`, { reason: 'told by telephone' })
    expect(await statesOf([id])).toEqual(['cancelled'])
    await mending.post(`/deliveries/${id}/retry`)
    expect(await statesOf([id])).toEqual(['pending'])
    const audit = await test.database
      .selectFrom('audit')
      .select(['action'])
      .orderBy('id', 'desc')
      .limit(2)
      .execute()
    expect(audit.map(({ action }) => action)).toEqual(['retried', 'cancelled'])
  })
})

it('an endpoint that is down is asked, paused and resumed; what is held says until when', async () => {
  await add(2)
  await sql`UPDATE to_deliver SET held_at = now()`.execute(test.database)
  await sql`
    INSERT INTO endpoints (partner_id, host, state, opens, failures, open_until)
    VALUES (7, 'shop.example', 'open', 1, 5, now() + interval '4 minutes')
  `.execute(test.database)
  expect((await looking.get('/deliveries?state=held')).body).toContain('until its endpoint is back')
  const address = '/deliveries/endpoint?partner=7&host=shop.example'
  expect((await looking.get('/deliveries/endpoints')).body).toContain('shop.example')
  expect((await looking.get(address)).body).not.toContain('Ask it now')
  expect((await mending.get(address)).body).toContain('Ask it now')
  const endpoint = { partner: '7', host: 'shop.example' }
  await mending.post('/deliveries/endpoint/probe', endpoint)
  expect((await mending.get(address)).body).toContain('It is asked now, by one of 2 that are held.')
  await mending.post('/deliveries/endpoint/pause', endpoint)
  expect((await mending.get(address)).body).toContain('Resume')
  await mending.post('/deliveries/endpoint/resume', endpoint)
  expect((await mending.get(address)).body).toContain('It is resumed. Held for it: 2.')
})

it('a list is read page after page, and whole as CSV', async () => {
  await add(120)
  const first = await looking.get('/deliveries')
  const [, next = ''] = /rel="next" href="([^"]+)"/.exec(first.body) ?? []
  expect((await looking.get(next.replaceAll('&amp;', '&'))).body).toContain('First page')
  const csv = await looking.get('/deliveries?format=csv')
  expect(csv.body.trimEnd().split('\n')).toHaveLength(121)
})

it.each([
  '/deliveries?state=lost',
  '/deliveries?partner=x',
  '/deliveries?from=yesterday',
  '/deliveries/endpoint',
])('%s says what is wrong with it', async (path) => {
  expect((await looking.get(path)).status).toBe(422)
})

it.each([
  'all/retry',
  'all/cancel',
  '1/retry',
  '1/cancel',
  'endpoint/pause',
  'endpoint/resume',
  'endpoint/probe',
])('who may only look may not: %s', async (path) => {
  expect((await looking.post(`/deliveries/${path}`)).status).toBe(403)
})
