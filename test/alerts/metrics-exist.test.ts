import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import { ROWS } from '../../scripts/dashboards/layout.ts'
import { meaningsIn, metricsOf } from '../../scripts/dashboards/render-dashboard.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type Selector, selectorsIn } from './promql.ts'
import type { Sample } from './scrape.ts'
import { makeMetricsShow, scrapeAll } from './shown-metrics.ts'

let gateway: TestGateway
let samples: Sample[]
beforeAll(async () => {
  gateway = await startTestGateway({ serve: 1, dispatch: 1 })
  const console = await gateway.start('console', { CONSOLE_PORT: '0' })
  await makeMetricsShow(gateway)
  samples = await scrapeAll(gateway, console)
})
afterAll(() => gateway?.close())

/** What a selector names that no process shows: metrics, labels, and values of labels. */
const missing = ({ metric, matchers, groupedBy }: Selector): string[] => {
  const own = samples.filter((one) => one.metric === metric)
  if (own.length === 0) return [metric]
  const labels = [...groupedBy, ...matchers.map(({ label }) => label)]
  const unknown = labels.filter((label) => !own.some((one) => Object.hasOwn(one.labels, label)))
  const unseen = matchers.flatMap(({ label, operator, value }) => {
    if (label === 'job' || operator.startsWith('!')) return []
    const wanted = operator === '=~' ? value.split('|') : [value]
    return wanted.filter((one) => !own.some(({ labels }) => labels[label] === one))
  })
  return [...unknown, ...unseen.filter((one) => !NOT_SHOWN.has(one))].map((one) => `${metric} ${one}`)
}

/** States of an endpoint that the one which is held here does not have. */
const NOT_SHOWN = new Set(['probing', 'paused'])

describe('what the alerts name', () => {
  it.each(ALERTS.map(({ name, expr }) => [name, expr] as const))(
    '%s: a real process shows it',
    (_name, expr) => {
      const selectors = selectorsIn(expr)
      expect(selectors.length).toBeGreaterThan(0)
      expect(selectors.flatMap(missing)).toEqual([])
    },
  )

  it('is missed where a metric, a label or a value of one is mistyped', () => {
    const of = (expr: string) => selectorsIn(expr).flatMap(missing)
    expect(of('gateway_databse_up == 0')).toEqual(['gateway_databse_up'])
    expect(of('sum by (kindd) (gateway_payment_findings_total)')).toEqual([
      'gateway_payment_findings_total kindd',
    ])
    expect(of('gateway_pushes_total{outcome=~"refused|refuse"}')).toEqual(['gateway_pushes_total refuse'])
  })
})

const CHARTS = ROWS.flatMap(({ charts }) => charts)

/** As Grafana fills it in. */
const asAsked = (expr: string): string => expr.replaceAll('$__rate_interval', '1m')

describe('what the dashboard shows', () => {
  it.each(CHARTS.map((chart) => [chart.title, chart] as const))(
    '%s: a real process shows it',
    (_title, { lines }) => {
      const all = lines.flatMap(([expr]) => selectorsIn(asAsked(expr)))
      expect(all.flatMap(missing).filter((one) => !one.startsWith(CUT) && !ONLY_WHEN_SET.test(one))).toEqual(
        [],
      )
    },
  )

  it('is every metric that operations.md explains, and says what it explains', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8')
    const shown = new Set(CHARTS.flatMap(metricsOf))
    expect([...meaningsIn(page).keys()].filter((name) => !shown.has(name))).toEqual([])
  })

  it('names each line by labels that the line has', () => {
    for (const { lines } of CHARTS)
      for (const [expr, name] of lines) {
        const labels = [...name.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
        expect([expr, selectorsIn(asAsked(expr))[0]?.groupedBy ?? []]).toEqual([
          expr,
          expect.arrayContaining(labels),
        ])
      }
  })
})

/** Nothing cuts a connection here: a metric that has no sample until it is needed. */
const CUT = 'gateway_connections_cut_total'

/** They are shown where a setting asks for signals or traces: tests of those hold them. */
const ONLY_WHEN_SET =
  /^gateway_(?:open_signals|oldest_open_signal_age_seconds|spans_(?:exported|dropped)_total)/
