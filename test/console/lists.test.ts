import { html } from '@remix-run/html-template'
import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { type CsvCell, everyPage, sendCsv } from '../../src/console/csv.ts'
import { foreignText } from '../../src/console/page/elements.ts'
import { field } from '../../src/console/page/form.ts'
import { pager, table } from '../../src/console/page/table.ts'
import { ago, time } from '../../src/console/page/time.ts'

const NOW = new Date('2026-05-04T18:00:00Z')

const csvOf = async (rows: AsyncIterable<readonly CsvCell[]>) => {
  const app = fastify()
  app.get('/', (_request, reply) => sendCsv(reply, { name: 'payments', columns: ['id', 'what'], rows }, NOW))
  const answer = await app.inject('/')
  await app.close()
  return answer
}

it('a list as CSV is text to a spreadsheet, whatever is in it', async () => {
  const answer = await csvOf(
    (async function* () {
      yield [1n, '=HYPERLINK("https://evil.example")']
      yield [2, 'a "quoted", cell\nof two lines']
      yield [null, new Date('2026-05-04T18:00:00Z')]
    })(),
  )
  expect(answer.body).toBe(
    '\uFEFFid,what\n1,"\'=HYPERLINK(""https://evil.example"")"\n2,"a ""quoted"", cell\nof two lines"\n,2026-05-04T18:00:00.000Z\n',
  )
  expect(answer.headers).toMatchObject({
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': 'attachment; filename="payments-2026-05-04-18-00-00.csv"',
  })
})

it('a list as CSV is read page after page, and no page before it is wanted', async () => {
  let pages = 0
  const rows = everyPage(async (cursor: number | null) => {
    pages += 1
    const from = cursor ?? 0
    return { rows: [[from, 'row']] as const, next: from < 9 ? from + 1 : null }
  })
  const [first] = [await rows.next()]
  expect([first.value, pages]).toEqual([[0, 'row'], 1])
  let count = 1
  for await (const _row of rows) count += 1
  expect([count, pages]).toEqual([10, 10])
})

it('a table shows text as text, and says what an empty one means', () => {
  const columns = [{ head: 'Reference', cell: (row: { reference: string }) => row.reference }]
  const rows = [{ reference: '<script>alert(1)</script>"\'' }]
  const shown = table({ caption: 'Payments', columns, rows, none: 'None.' }).toString()
  expect(shown).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;')
  expect(table({ caption: 'Payments', columns, rows: [], none: 'None.' }).toString()).toContain('None.')
})

it('the links of a list keep its filters', () => {
  const call = { path: '/payments', query: new URLSearchParams('state=failed&before=17') }
  const links = pager(call, { cursor: 'before', next: '9', csv: true }).toString()
  expect(links).toContain('href="/payments?state=failed"')
  expect(links).toContain('href="/payments?state=failed&amp;before=9"')
  expect(links).toContain('href="/payments?state=failed&amp;format=csv"')
})

it('a field says what is wrong with it to who does not see it', () => {
  const shown = field({ name: 'reason', label: 'Reason', value: '"><b>', problem: 'is required' }).toString()
  expect(shown).toContain(
    'value="&quot;&gt;&lt;b&gt;" aria-describedby="field-reason-problem" aria-invalid="true"',
  )
})

it('an instant is shown in UTC and in East Africa Time, and as how long ago', () => {
  expect(time(new Date('2026-05-04T22:30:05Z')).toString()).toBe(
    '<time datetime="2026-05-04T22:30:05.000Z">2026-05-04 22:30:05 UTC <span class="east">2026-05-05 01:30:05 EAT</span></time>',
  )
  expect(ago(new Date('2026-05-04T17:57:01Z'), NOW).toString()).toContain('>2 min ago<')
  expect(ago(new Date('2026-05-04T20:00:00Z'), NOW).toString()).toContain('>in 2 h<')
})

it('what others wrote is shown with its controls, in a box', () => {
  expect(foreignText('<b>\u202egnp\nsecond').toString()).toBe(
    '<pre class="foreign" tabindex="0">&lt;b&gt;\\u202egnp\nsecond</pre>',
  )
  expect(html`${foreignText('a')}`.toString()).toContain('<pre class="foreign" tabindex="0">a</pre>')
})
