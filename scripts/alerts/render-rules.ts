import { stringify } from 'yaml'
import type { Alert } from './alert.ts'
import { ALERTS } from './alerts.ts'
import { CASES } from './cases.ts'
import { sectionOf } from './section.ts'
import { INTERVAL, toTestGroup } from './test-group.ts'

/** Where the rules and their tests stand, below the root. */
export const RULES = 'deploy/prometheus/rules.yaml'
export const RULE_TESTS = 'deploy/prometheus/rules.test.yaml'
export const RULES_FOR_OPERATOR = 'deploy/kubernetes/prometheus/rules.yaml'

const RULES_COMMENT = ` Alerts of the gateway for Prometheus. Written by \`npm run generate\` from scripts/alerts.
 What each means and how it is mended: docs/runbooks, where its annotation runbook_url leads.
 The links begin with the external labels \`runbooks\` and \`console\` of prometheus.yaml, where they are set.`

const OPERATOR_COMMENT = ` The alerts of deploy/prometheus/rules.yaml for Prometheus's operator. Written by \`npm run generate\`.
 The links begin with the externalLabels \`runbooks\` and \`console\` of your Prometheus, where they are set.`

const TESTS_COMMENT = ` promtool test rules rules.test.yaml
 Written by \`npm run generate\` from scripts/alerts: when each alert is silent, fires and clears.`

/** Links begin as external labels of Prometheus say; that to a runbook else with the folder's name in the project. */
const RUNBOOKS = '{{ with $externalLabels.runbooks }}{{ . }}{{ else }}docs/runbooks{{ end }}'
const CONSOLE = '{{ $externalLabels.console }}'

const toRule = (alert: Alert) => ({
  alert: alert.name,
  expr: alert.expr,
  ...(alert.for !== '0m' && { for: alert.for }),
  labels: { severity: alert.severity },
  annotations: {
    summary: alert.summary,
    runbook_url: `${RUNBOOKS}${sectionOf(alert)}`,
    console_url: `${CONSOLE}${alert.console}`,
  },
})

const write = (comment: string, value: object): string =>
  `#${comment.replaceAll('\n', '\n#')}\n${stringify(value, { lineWidth: 0 })}`

/** A group for each page of the runbooks. */
const groupsOfRules = () => {
  const pages = [...new Set(ALERTS.map(({ page }) => page))]
  return pages.map((page) => ({
    name: `gateway-${page}`,
    rules: ALERTS.filter((alert) => alert.page === page).map(toRule),
  }))
}

/** The rules as Prometheus reads them. */
export const renderRules = (): string => write(RULES_COMMENT, { groups: groupsOfRules() })

/** The same as Prometheus's operator takes them from Kubernetes. */
export const renderRulesForOperator = (): string =>
  write(OPERATOR_COMMENT, {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'gateway' },
    spec: { groups: groupsOfRules() },
  })

/** The tests of the rules as promtool reads them. */
export const renderRuleTests = (): string =>
  write(TESTS_COMMENT, {
    rule_files: ['rules.yaml'],
    evaluation_interval: INTERVAL,
    tests: CASES.map(toTestGroup),
  })

/** The alerts as the table of docs/operations.md. */
export const alertsAsRows = (): string[][] =>
  ALERTS.map((alert) => [
    `[\`${alert.name}\`](runbooks${sectionOf(alert)})`,
    alert.severity,
    `\`${alert.expr.replaceAll('|', String.raw`\|`)}\``,
    alert.for === '0m' ? 'at once' : alert.for,
  ])
