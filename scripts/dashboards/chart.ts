/** A chart: what it shows, and each of its lines with what it is called. */
export type Chart = {
  title: string
  /** As Grafana names units. */
  unit: 'short' | 'ops' | 's' | 'bytes' | 'percentunit'
  lines: readonly (readonly [expr: string, name: string])[]
  /** Lines stand on each other. */
  isStacked?: true
}

/** A row of charts under a heading. */
export type Row = { title: string; charts: readonly Chart[] }

/** Over what a growth is counted: as wide as Grafana thinks right for the chart. */
export const RATE = '[$__rate_interval]'

/** How fast a counter grows, by one of its labels. */
export const rateBy = (label: string, metric: string, matchers = ''): readonly [string, string] => [
  `sum by (${label}) (rate(${metric}${matchers}${RATE}))`,
  `{{${label}}}`,
]

/** How fast a counter grows in all. */
export const rate = (metric: string, name: string, matchers = ''): readonly [string, string] => [
  `sum(rate(${metric}${matchers}${RATE}))`,
  name,
]
