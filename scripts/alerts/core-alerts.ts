import { type Alert, COUNT, DURATION } from './alert.ts'

/** What is told of processes, Postgres, callbacks, Daraja and payments. */

export const PROCESS_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayServeGone',
    page: 'processes',
    severity: 'page',
    expr: 'absent(up{job="gateway-serve"} == 1)',
    for: '1m',
    summary: 'No serve answers: partners cannot ask for payments, and callbacks from Daraja are lost.',
    console: '/',
  },
  {
    name: 'GatewayDispatchGone',
    page: 'processes',
    severity: 'page',
    expr: 'absent(up{job="gateway-dispatch"} == 1)',
    for: '2m',
    summary: 'No dispatch answers: no partner hears of any outcome.',
    console: '/',
  },
  {
    name: 'GatewayProcessDown',
    page: 'processes',
    severity: 'ticket',
    expr: 'up{job=~"gateway-(serve|dispatch|facade|console)"} == 0',
    for: '5m',
    summary:
      '{{ $labels.instance }} ({{ $labels.job }}) has not answered for five minutes; others may carry its work.',
    console: '/',
  },
  {
    name: 'GatewayErrorLogged',
    page: 'processes',
    severity: 'ticket',
    // A series that is new had no growth yet, as Prometheus counts: what it begins with is its growth.
    expr:
      'sum by (event) (increase(gateway_log_errors_total[15m])) > 0 or ' +
      'sum by (event) (gateway_log_errors_total unless gateway_log_errors_total offset 15m) > 0',
    for: '0m',
    summary: `The log has ${COUNT} lines of {{ $labels.event }} at error or fatal in 15 minutes.`,
    console: '/',
  },
  {
    name: 'GatewayEventLoopHeld',
    page: 'processes',
    severity: 'ticket',
    expr: 'gateway_nodejs_eventloop_lag_p99_seconds > 0.5',
    for: '5m',
    summary: `{{ $labels.instance }} ({{ $labels.job }}) answers ${DURATION} late: it has more to do than one CPU can.`,
    console: '/traffic',
  },
]

export const DATABASE_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayDatabaseAway',
    page: 'database',
    severity: 'page',
    // A console that cannot write alone loses neither money nor outcomes.
    expr: 'count by (job) (gateway_database_up{job!="gateway-console"} == 0)',
    for: '1m',
    summary:
      'Postgres takes no writes of {{ $value }} of the {{ $labels.job }} processes: partners are answered 503, callbacks go to the spool.',
    console: '/',
  },
  {
    name: 'GatewayDatabaseRestored',
    page: 'database',
    severity: 'page',
    expr: 'max(gateway_database_restored) == 1',
    for: '0m',
    summary:
      'The database is older than what was given out: payments may be missing, and be asked for a second time.',
    console: '/',
  },
  {
    name: 'GatewayTotalsBehind',
    page: 'database',
    severity: 'ticket',
    // An import of a large statement holds them back for some minutes.
    expr: 'max(gateway_totals_age_seconds) > 900',
    for: '5m',
    summary: `What was paid is summed up to ${DURATION} ago only: totals lack what was settled since, and watchers hear of it late.`,
    console: '/statements/totals',
  },
]

export const CALLBACK_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayCallbacksLost',
    page: 'callbacks',
    severity: 'page',
    expr: 'sum(increase(gateway_callbacks_not_kept_total[10m])) > 0',
    for: '0m',
    summary: `${COUNT} callbacks were answered 503 in ten minutes, for neither Postgres nor the disk of the spool took them.`,
    console: '/',
  },
  {
    name: 'GatewaySpoolNotReplayed',
    page: 'callbacks',
    severity: 'page',
    expr: 'max(gateway_spooled_callbacks) > 0 and min(gateway_database_up{job="gateway-serve"}) == 1',
    for: '1m',
    summary: 'The spool holds {{ $value }} callbacks although Postgres is back.',
    console: '/',
  },
  {
    name: 'GatewaySpoolDiskFills',
    page: 'callbacks',
    severity: 'page',
    expr: 'min by (instance) (gateway_spool_free_bytes) < 100e6',
    for: '1m',
    summary:
      'The disk of the spool of {{ $labels.instance }} has {{ $value | humanize1024 }}B left: callbacks are lost when it is full.',
    console: '/',
  },
  {
    name: 'GatewaySpoolDamaged',
    page: 'callbacks',
    severity: 'ticket',
    expr: 'max(gateway_spool_files_aside) > 0',
    for: '0m',
    summary: '{{ $value }} files of the spool could not be used and are kept aside.',
    console: '/exceptions',
  },
  {
    name: 'GatewayCallbacksStopped',
    page: 'callbacks',
    severity: 'page',
    expr:
      'sum(increase(gateway_pushes_total{outcome="accepted"}[15m])) >= 10 and ' +
      'sum(increase(gateway_callbacks_total{token="known"}[15m])) == 0',
    for: '5m',
    summary: `Daraja took ${COUNT} pushes in 15 minutes and called back for none: outcomes come late, by the query.`,
    console: '/traffic',
  },
  {
    name: 'GatewayCallbacksNotInterpreted',
    page: 'callbacks',
    severity: 'page',
    expr: 'max(gateway_oldest_due_duty_age_seconds{duty="interpret"}) > 60',
    for: '1m',
    summary: `A callback has waited for ${DURATION} to be interpreted: its payment is paid or not, and nobody is told.`,
    console: '/',
  },
  {
    name: 'GatewayCallbacksRefused',
    page: 'callbacks',
    severity: 'ticket',
    expr: 'sum(increase(gateway_callbacks_refused_total[15m])) > 20',
    for: '0m',
    summary: `${COUNT} callbacks were refused in 15 minutes, for they came from addresses that may not call back.`,
    console: '/traffic',
  },
]

export const DARAJA_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayDarajaHoldsOff',
    page: 'daraja',
    severity: 'page',
    expr: 'sum(increase(gateway_daraja_holds_total[5m])) > 2',
    for: '0m',
    summary: `Daraja held us off ${COUNT} times in five minutes: payers are prompted late, or not at all.`,
    console: '/',
  },
  {
    name: 'GatewayPushesLate',
    page: 'daraja',
    severity: 'page',
    expr: 'max(gateway_oldest_due_duty_age_seconds{duty="submit"}) > 60',
    for: '1m',
    summary: `A payment has waited for ${DURATION} to be pushed: its payer is not prompted.`,
    console: '/payments',
  },
  {
    name: 'GatewayPushesRefused',
    page: 'daraja',
    severity: 'page',
    expr:
      'sum(increase(gateway_pushes_total{outcome="refused"}[10m])) >= 10 and ' +
      'sum(increase(gateway_pushes_total{outcome="refused"}[10m])) > 0.2 * sum(increase(gateway_pushes_total[10m]))',
    for: '0m',
    summary: `Daraja refused ${COUNT} pushes for certain in ten minutes, more than a fifth of all.`,
    console: '/payments',
  },
  {
    name: 'GatewayPushesUnknown',
    page: 'daraja',
    severity: 'ticket',
    expr: 'sum(increase(gateway_pushes_total{outcome="unknown"}[10m])) >= 10',
    for: '0m',
    summary: `Of ${COUNT} pushes in ten minutes it is not known whether the payer was prompted.`,
    console: '/exceptions',
  },
  {
    name: 'GatewayOverloaded',
    page: 'daraja',
    severity: 'ticket',
    expr: 'max(gateway_overloaded_accounts) > 0',
    for: '5m',
    summary:
      'More payments are asked for than can be pushed through {{ $value }} accounts: a part is answered 503.',
    console: '/traffic',
  },
]

export const PAYMENT_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayPaymentsOverdue',
    page: 'payments',
    severity: 'ticket',
    expr: 'max(gateway_overdue_payments) > 0',
    for: '5m',
    summary:
      '{{ $value }} payments are open for longer than they should be: nobody knows whether they were paid.',
    console: '/exceptions',
  },
  {
    name: 'GatewayFinding',
    page: 'payments',
    severity: 'ticket',
    expr: 'sum by (kind) (increase(gateway_payment_findings_total[15m])) > 0',
    for: '0m',
    summary: `${COUNT} findings of the kind {{ $labels.kind }} in 15 minutes: what came contradicts what was known.`,
    console: '/exceptions',
  },
  {
    name: 'GatewayPaymentsFail',
    page: 'payments',
    severity: 'page',
    expr:
      'sum(increase(gateway_payments_settled_total{outcome="failed"}[15m])) >= 20 and ' +
      'sum(increase(gateway_payments_settled_total{outcome="failed"}[15m])) > 0.9 * sum(increase(gateway_payments_settled_total[15m]))',
    for: '5m',
    summary: `${COUNT} payments failed in 15 minutes, more than nine in ten.`,
    console: '/payments',
  },
]
