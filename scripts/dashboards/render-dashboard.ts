import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Dashboard,
  type GridPos,
  type Panel,
  type RowPanel,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VariableRefresh,
} from '@grafana/schema'
import type {
  FieldConfig,
  Options,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'
import type { Chart } from './chart.ts'
import { ROWS } from './layout.ts'

/** Where the dashboard stands, below the root, and the page whose table says what each metric means. */
export const DASHBOARD = 'deploy/grafana/gateway.json'
const PAGE = 'docs/operations.md'

/** Whichever Prometheus is chosen at the top. */
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

const WIDTH = 24
const CHART_WIDTH = 8
const CHART_HEIGHT = 8

/** What each metric means, by its name, as the table of metrics in docs/operations.md says it. */
export const meaningsIn = (page: string): Map<string, string> =>
  new Map(
    [...page.matchAll(/^\| `(gateway_\w+)` \| [^|]* \| (.*) \|$/gm)].map(([, name = '', meaning = '']) => [
      name,
      // Links lead from that page.
      meaning.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'),
    ]),
  )

const METRIC = /gateway_\w+/g

/** The metrics that a chart reads; the buckets of a histogram are the histogram's. */
export const metricsOf = ({ lines }: Chart): string[] => [
  ...new Set(lines.flatMap(([expr]) => expr.match(METRIC) ?? []).map((name) => name.replace(/_bucket$/, ''))),
]

const describe = (chart: Chart, meanings: Map<string, string>): string =>
  metricsOf(chart)
    .flatMap((name) => (meanings.has(name) ? [`\`${name}\`: ${meanings.get(name)}`] : []))
    .join('\n\n')

const toPanel = (
  chart: Chart,
  meanings: Map<string, string>,
  place: { id: number; gridPos: GridPos },
): Panel => {
  const custom: FieldConfig = {
    fillOpacity: chart.isStacked ? 40 : 8,
    lineWidth: 1,
    stacking: { mode: chart.isStacked ? StackingMode.Normal : StackingMode.None, group: 'A' },
  }
  const options: Options = {
    legend: {
      calcs: ['lastNotNull', 'max'],
      placement: 'bottom',
      showLegend: true,
    },
    tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
  }
  return {
    ...place,
    type: 'timeseries',
    title: chart.title,
    description: describe(chart, meanings),
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit: chart.unit, min: 0, custom: { ...custom } }, overrides: [] },
    options: { ...options },
    targets: chart.lines.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat,
    })),
  }
}

/** Every row with its charts below it, three beside each other. */
const toPanels = (meanings: Map<string, string>): (Panel | RowPanel)[] => {
  const panels: (Panel | RowPanel)[] = []
  const perLine = WIDTH / CHART_WIDTH
  let y = 0
  const nextId = (): number => panels.length + 1
  for (const { title, charts } of ROWS) {
    const gridPos = { x: 0, y, w: WIDTH, h: 1 }
    panels.push({ id: nextId(), type: 'row', title, collapsed: false, panels: [], gridPos })
    y += 1
    for (const [index, chart] of charts.entries()) {
      const [x, line] = [(index % perLine) * CHART_WIDTH, Math.floor(index / perLine)]
      const place = { x, y: y + line * CHART_HEIGHT, w: CHART_WIDTH, h: CHART_HEIGHT }
      panels.push(toPanel(chart, meanings, { id: nextId(), gridPos: place }))
    }
    y += Math.ceil(charts.length / perLine) * CHART_HEIGHT
  }
  return panels
}

/** The dashboard as Grafana imports it; its descriptions are those of the project's table of metrics. */
export const renderDashboard = async (root: string): Promise<string> => {
  const meanings = meaningsIn(await readFile(join(root, PAGE), 'utf8'))
  const dashboard: Dashboard = {
    uid: 'mpesa-gateway',
    title: 'M-PESA gateway',
    description:
      'Written by `npm run generate` of the gateway from scripts/dashboards and its table of metrics.',
    tags: ['mpesa-gateway'],
    schemaVersion: 39,
    editable: true,
    time: { from: 'now-3h', to: 'now' },
    refresh: '30s',
    timezone: 'browser',
    templating: {
      list: [
        {
          name: 'datasource',
          type: 'datasource',
          label: 'Prometheus',
          query: 'prometheus',
          refresh: VariableRefresh.onDashboardLoad,
        },
      ],
    },
    panels: toPanels(meanings),
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}
