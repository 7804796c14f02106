/** Where what an alert means stands: a page of docs/runbooks, which has a section under the alert's name. */
export type RunbookPage =
  | 'processes'
  | 'database'
  | 'callbacks'
  | 'daraja'
  | 'payments'
  | 'deliveries'
  | 'queue'
  | 'access'

/** A criterion on which a person is told. */
export type Alert = {
  name: string
  page: RunbookPage
  /** `page`: money or outcomes are at stake now, so somebody is woken. `ticket`: it can wait for the morning. */
  severity: 'page' | 'ticket'
  /** PromQL: whatever it yields, something is wrong. */
  expr: string
  /** How long it must have yielded that, as Prometheus writes durations. */
  for: string
  /** What is wrong, in one sentence with its numbers: a template of Prometheus. */
  summary: string
  /** The page of the console to begin with. */
  console: string
}

/** Rounds what a counter has grown by, which Prometheus extrapolates. */
export const COUNT = '{{ $value | printf "%.0f" }}'

/** A number of seconds as a person says it. */
export const DURATION = '{{ $value | humanizeDuration }}'
