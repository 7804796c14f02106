import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openConsole, type TestBrowser, type TestConsole } from './harness.ts'

let test: TestConsole
let looking: TestBrowser

/** Of all partners (0) and of one, in spans of all lengths, in the quarter that is not over. */
const COUNTS = [
  ['accepted', '', 31],
  ['prompted', '', 29],
  ['paid', '', 17],
  ['failed', '1032', 7],
  ['failed', '2001', 4],
  ['delivered', '', 23],
  ['told_within', '40', 23],
] as const

beforeAll(async () => {
  test = await openConsole()
  looking = await test.as('look')
  await looking.get('/')
})
afterAll(() => test.stop())

const count = async (): Promise<void> => {
  const { database } = test
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, '<script>x</script>Duka')`.execute(
    database,
  )
  await sql`
    INSERT INTO traffic_counted (begun_at, events_to, events_at, attempts_to)
    VALUES (now() - interval '20 days', 1, now(), now())
  `.execute(database)
  for (const [span, step] of [
    ['minute', '1 minute'],
    ['quarter', '15 minutes'],
    ['hour', '1 hour'],
  ] as const)
    for (const [measure, label, number] of COUNTS)
      await sql`
        INSERT INTO traffic_counts (partner_id, span, at, measure, label, count)
        SELECT partner, ${span}, date_bin(${step}::interval, now(), 'epoch'), ${measure}, ${label},
               CASE partner WHEN 0 THEN ${number}::bigint ELSE 1 END
        FROM unnest('{0,7}'::bigint[]) partner
      `.execute(database)
}

const chartOf = (body: string, name: string): string =>
  body.split('<figure').find((part) => part.includes(`id="chart-${name}-title"`)) ?? ''

it('says that nothing is counted yet, and then shows what the database has', async () => {
  expect((await looking.get('/traffic')).body).toContain('Nothing is counted yet')
  await count()
  for (const last of ['hour', 'day', 'week']) {
    const { body } = await looking.get(`/traffic?last=${last}`)
    const totals = { accepted: 31, prompted: 29, paid: 17, failed: 11, delivered: 23 }
    for (const [name, total] of Object.entries(totals)) {
      const chart = chartOf(body, name)
      expect(chart).toContain(`</strong> ${total}</figcaption>`)
      expect(chart.match(/<rect /g)).toHaveLength(1)
      expect(chart).toContain(`: ${total}</title></rect>`)
      expect(chart).toContain('<desc ')
      expect(body).toContain(`<div>${total}</div>`)
    }
    expect(chartOf(body, 'p95')).toMatch(/<\/strong> \d+ ms<\/figcaption>/)
    expect(body).toMatch(/<div>1032<\/div>.*<div>7<\/div>.*<div>2001<\/div>.*<div>4<\/div>/s)
    expect(body).not.toMatch(/ style=|<style|<script>/)
  }
})

it('shows one partner’s alone, whose name is text', async () => {
  const { body } = await looking.get('/traffic?partner=7')
  expect(chartOf(body, 'accepted')).toContain('</strong> 1</figcaption>')
  expect(body).toContain('&lt;script&gt;x&lt;/script&gt;Duka')
  expect(body).not.toContain('<script>')
})

it('gives every point as CSV', async () => {
  const { headers, body } = await looking.get('/traffic?last=hour&format=csv')
  expect(headers.get('content-type')).toContain('text/csv')
  const lines = body.trimEnd().split('\n')
  expect(lines).toHaveLength(61)
  expect(lines[0]).toContain('at,accepted,prompted,paid,failed,delivered,p95_ms,failed_by_code')
  expect(lines.filter((line) => /Z,31,29,17,11,23,\d+,"1032: 7, 2001: 4"$/.test(line))).toHaveLength(1)
})

it.each([
  ['/traffic?last=year', 422],
  ['/traffic?partner=x', 422],
  ['/traffic?partner=x&format=csv', 422],
  ['/traffic?partner=999', 404],
])('%s is answered %i', async (path, status) => {
  expect((await looking.get(path)).status).toBe(status)
})
