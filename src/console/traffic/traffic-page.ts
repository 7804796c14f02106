import { html, type SafeHtml } from '@remix-run/html-template'
import type {
  FailedByCode,
  GetTrafficResponse,
  TrafficPoint,
} from '../../gen/mpesa/gateway/v1/overview_pb.js'
import { parseId } from '../../values/ids.ts'
import { type CsvList, everyPage } from '../csv.ts'
import { notice, section } from '../page/elements.ts'
import { filterForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { partnerLink } from '../page/payment-words.ts'
import { type Column, pager, table } from '../page/table.ts'
import { time, toDate } from '../page/time.ts'
import { Refusal } from '../refusal.ts'
import type { Call } from '../route.ts'
import { chart } from './traffic-chart.ts'

/** How far back, by the word that the address has for it, hours. */
const HOURS = { hour: 1, day: 24, week: 168 } as const

const isStretch = (text: string): text is keyof typeof HOURS => Object.hasOwn(HOURS, text)

/** What the address asks for. Throws `Refusal` that names what is wrong. */
const readRequest = (query: URLSearchParams): { hours: number; partnerId?: bigint } => {
  const stretch = query.get('last') || 'day'
  if (!isStretch(stretch))
    throw new Refusal('wrong_field', 'last must be hour, day or week', { field: 'last' })
  const text = (query.get('partner') ?? '').trim()
  if (text === '') return { hours: HOURS[stretch] }
  const partnerId = parseId(text)
  if (partnerId === null)
    throw new Refusal('wrong_field', 'partner must be the id of a partner, like 7', { field: 'partner' })
  return { hours: HOURS[stretch], partnerId }
}

/** `/traffic`: how much happened in the last hour, day or week, of all partners or of one. */
export const trafficPage = async (call: Call): Promise<Page> => {
  const { clients, query } = call
  const request = readRequest(query)
  const [traffic, { partner }] = await Promise.all([
    clients.overview.getTraffic(request),
    request.partnerId === undefined
      ? { partner: undefined }
      : clients.partners.getPartner({ partnerId: request.partnerId }),
  ])
  const ofWhom =
    partner === undefined
      ? html`<p>All partners together, without test payments.</p>`
      : html`<p>Of partner ${partnerLink(partner.partnerId)}, ${partner.name}, without test payments.</p>`
  return {
    title: 'Traffic',
    liveSeconds: 60,
    body: html`${filters(query)}${ofWhom}<div data-live="counted">${counted(traffic)}</div>
<div class="charts" data-live="charts">${charts(traffic)}</div>
${section('Failed, by code', failedTable(traffic.total?.failedByCode ?? []), { live: 'failed' })}
${section('In numbers', pointTable(traffic), { live: 'points' })}${pager(call, { cursor: 'after', next: null, csv: true })}`,
  }
}

const filters = (query: URLSearchParams): SafeHtml =>
  filterForm('/traffic', [
    {
      kind: 'select',
      name: 'last',
      label: 'The last',
      value: query.get('last') || 'day',
      options: Object.keys(HOURS).map((name) => [name, name] as const),
    },
    { kind: 'search', name: 'partner', label: 'Partner’s id', value: query.get('partner') },
  ])

const counted = ({ countedTo, begunAt, points }: GetTrafficResponse): SafeHtml => {
  if (countedTo === undefined)
    return notice('warn', 'Nothing is counted yet: gateway serve does, every minute.')
  const first = points[0]?.at
  const isShort = begunAt !== undefined && first !== undefined && toDate(begunAt) > toDate(first)
  return html`<p>Counted up to ${time(countedTo)}${isShort ? html`, and not before ${time(begunAt)}` : ''}.</p>`
}

const COUNTS = ['accepted', 'prompted', 'paid', 'failed', 'delivered'] as const

const millis = (value: number | bigint): string => `${value} ms`

const charts = ({ total, points, stepSeconds }: GetTrafficResponse): SafeHtml[] => [
  ...COUNTS.map((name) =>
    chart({
      id: `chart-${name}`,
      title: nameOf(name),
      total: String(total?.[name] ?? 0n),
      say: String,
      stepSeconds,
      points: points.map((point) => ({ at: point.at, value: Number(point[name]) })),
    }),
  ),
  chart({
    id: 'chart-p95',
    title: '95 of 100 delivered within',
    total: total?.p95Ms === undefined ? '–' : millis(total.p95Ms),
    say: millis,
    stepSeconds,
    points: points.map(({ at, p95Ms }) => ({ at, value: p95Ms === undefined ? null : Number(p95Ms) })),
  }),
]

const nameOf = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`

const failedTable = (rows: readonly FailedByCode[]): SafeHtml =>
  table({
    caption: 'By the code that partners read, most first',
    columns: [
      { head: 'Code', cell: ({ code }) => code },
      { head: 'Payments', cell: ({ count }) => String(count), kind: 'number' },
    ],
    rows,
    none: 'None failed.',
  })

const pointTable = ({ points }: GetTrafficResponse): SafeHtml =>
  table({
    caption: 'The newest first; times in which nothing happened are left out',
    columns: [
      { head: 'From', cell: ({ at }) => time(at) },
      ...COUNTS.map(
        (name): Column<TrafficPoint> => ({
          head: nameOf(name),
          cell: (point) => String(point[name]),
          kind: 'number',
        }),
      ),
      {
        head: '95 of 100 within',
        cell: ({ p95Ms }) => (p95Ms === undefined ? null : millis(p95Ms)),
        kind: 'number',
      },
    ],
    rows: points.filter((point) => COUNTS.some((name) => point[name] > 0n)).toReversed(),
    none: 'Nothing happened.',
  })

/** Every point as CSV, oldest first; failures by code are one cell: `2001: 3, 1032: 1`. */
export const trafficCsv = ({ clients, query }: Call): CsvList => {
  const request = readRequest(query)
  return {
    name: 'traffic',
    columns: ['at', ...COUNTS, 'p95_ms', 'failed_by_code'],
    rows: everyPage(async () => {
      const { points } = await clients.overview.getTraffic(request)
      return { rows: points.map(toCells), next: null }
    }),
  }
}

const toCells = (point: TrafficPoint) => [
  point.at && toDate(point.at),
  ...COUNTS.map((name) => point[name]),
  point.p95Ms,
  point.failedByCode.map(({ code, count }) => `${code}: ${count}`).join(', '),
]
