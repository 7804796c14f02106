import { type Alert } from './alert.ts'
import { ALERTS } from './alerts.ts'
import { sectionOf } from './section.ts'

/** How far apart the samples of a case are, and the evaluations. */
export const INTERVAL = '1m'

/** What an alert does with samples that are made up: one value a minute, as promtool writes them. */
export type AlertCase = {
  alert: string
  series: Readonly<Record<string, string>>
  /** When it is silent, before or instead of firing. */
  silentAt: string
  firesAt: string
  /** What it then says, with the labels that it has beside its severity. */
  says: readonly { labels?: Readonly<Record<string, string>>; summary: string }[]
  /** When it is silent again. */
  clearsAt: string
}

const EXTERNAL = { runbooks: 'https://git.example/docs/runbooks', console: 'https://console.example' }

const alertOf = (name: string): Alert => {
  const alert = ALERTS.find((one) => one.name === name)
  if (alert === undefined) throw new Error(`there is no alert ${name}`)
  return alert
}

/** A case as a test of promtool's. */
export const toTestGroup = ({ alert: name, series, silentAt, firesAt, says, clearsAt }: AlertCase) => {
  const alert = alertOf(name)
  const at = (time: string) => ({ eval_time: time, alertname: name })
  return {
    name,
    interval: INTERVAL,
    external_labels: EXTERNAL,
    input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
    alert_rule_test: [
      at(silentAt),
      {
        ...at(firesAt),
        exp_alerts: says.map(({ labels = {}, summary }) => ({
          exp_labels: { severity: alert.severity, ...labels },
          exp_annotations: {
            summary,
            runbook_url: `${EXTERNAL.runbooks}${sectionOf(alert)}`,
            console_url: `${EXTERNAL.console}${alert.console}`,
          },
        })),
      },
      at(clearsAt),
    ],
  }
}
