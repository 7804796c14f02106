import type { AlertCase } from './test-group.ts'

const SERVE = 'job="gateway-serve",instance="a:8081"'
const OTHER = 'job="gateway-serve",instance="b:8081"'
const DISPATCH = 'job="gateway-dispatch",instance="c:8082"'
const CONSOLE = 'job="gateway-console",instance="e:8084"'

/** Of processes, Postgres, callbacks, Daraja and payments. */
export const CORE_CASES: readonly AlertCase[] = [
  {
    alert: 'GatewayServeGone',
    series: { [`up{${SERVE}}`]: '1 0x9 1x9', [`up{${OTHER}}`]: '1x3 0x9 1x9', [`up{${DISPATCH}}`]: '1x30' },
    silentAt: '4m',
    firesAt: '5m',
    says: [
      {
        summary: 'No serve answers: partners cannot ask for payments, and callbacks from Daraja are lost.',
      },
    ],
    clearsAt: '12m',
  },
  {
    // No target at all is no process either.
    alert: 'GatewayDispatchGone',
    series: { [`up{${SERVE}}`]: '1x30', [`up{${DISPATCH}}`]: '1x2 stale _x8 1x9' },
    silentAt: '4m',
    firesAt: '10m',
    says: [
      {
        summary: 'No dispatch answers: no partner hears of any outcome.',
      },
    ],
    clearsAt: '14m',
  },
  {
    alert: 'GatewayProcessDown',
    series: {
      [`up{${SERVE}}`]: '1 0x9 1x9',
      [`up{${OTHER}}`]: '1x30',
      'up{job="other",instance="d"}': '0x30',
    },
    silentAt: '5m',
    firesAt: '6m',
    says: [
      {
        labels: { job: 'gateway-serve', instance: 'a:8081' },
        summary: 'a:8081 (gateway-serve) has not answered for five minutes; others may carry its work.',
      },
    ],
    clearsAt: '11m',
  },
  {
    // The first line of an event makes a series that begins with 1, and another process counts on.
    alert: 'GatewayErrorLogged',
    series: {
      [`gateway_log_errors_total{${SERVE},level="error",event="spool_refuses"}`]: '_x20 1x40',
      [`gateway_log_errors_total{${OTHER},level="fatal",event="defect"}`]: '3x60',
    },
    silentAt: '19m',
    firesAt: '22m',
    says: [
      {
        labels: { event: 'spool_refuses' },
        summary: 'The log has 1 lines of spool_refuses at error or fatal in 15 minutes.',
      },
    ],
    clearsAt: '37m',
  },
  {
    alert: 'GatewayErrorLogged',
    series: { [`gateway_log_errors_total{${SERVE},level="error",event="request_failed"}`]: '3x20 4x40' },
    silentAt: '20m',
    firesAt: '22m',
    says: [
      {
        labels: { event: 'request_failed' },
        summary: 'The log has 1 lines of request_failed at error or fatal in 15 minutes.',
      },
    ],
    clearsAt: '37m',
  },
  {
    alert: 'GatewayEventLoopHeld',
    series: { [`gateway_nodejs_eventloop_lag_p99_seconds{${SERVE}}`]: '0.02x5 0.75x9 0.02x9' },
    silentAt: '10m',
    firesAt: '11m',
    says: [
      {
        labels: { job: 'gateway-serve', instance: 'a:8081' },
        summary: 'a:8081 (gateway-serve) answers 750ms late: it has more to do than one CPU can.',
      },
    ],
    clearsAt: '16m',
  },
  {
    alert: 'GatewayDatabaseAway',
    series: {
      [`gateway_database_up{${SERVE}}`]: '1 0x9 1x9',
      [`gateway_database_up{${OTHER}}`]: '1 0x9 1x9',
      [`gateway_database_up{${DISPATCH}}`]: '1x30',
      [`gateway_database_up{${CONSOLE}}`]: '0x30',
    },
    silentAt: '1m',
    firesAt: '2m',
    says: [
      {
        labels: { job: 'gateway-serve' },
        summary:
          'Postgres takes no writes of 2 of the gateway-serve processes: partners are answered 503, callbacks go to the spool.',
      },
    ],
    clearsAt: '11m',
  },
  {
    alert: 'GatewayDatabaseRestored',
    series: {
      [`gateway_database_restored{${SERVE}}`]: '0x2 1x9 0x9',
      [`gateway_database_restored{${OTHER}}`]: '0x30',
    },
    silentAt: '2m',
    firesAt: '3m',
    says: [
      {
        summary:
          'The database is older than what was given out: payments may be missing, and be asked for a second time.',
      },
    ],
    clearsAt: '13m',
  },
  {
    // The same whichever process is asked; none of one that cannot ask Postgres.
    alert: 'GatewayTotalsBehind',
    series: {
      [`gateway_totals_age_seconds{${SERVE}}`]: '60+60x39 30x9',
      [`gateway_totals_age_seconds{${OTHER}}`]: '60x5 stale _x40',
    },
    silentAt: '19m',
    firesAt: '20m',
    says: [
      {
        summary:
          'What was paid is summed up to 21m 0s ago only: totals lack what was settled since, and watchers hear of it late.',
      },
    ],
    clearsAt: '41m',
  },
  {
    alert: 'GatewayCallbacksLost',
    series: { [`gateway_callbacks_not_kept_total{${SERVE}}`]: '0x5 4x30' },
    silentAt: '5m',
    firesAt: '6m',
    says: [
      {
        summary:
          '4 callbacks were answered 503 in ten minutes, for neither Postgres nor the disk of the spool took them.',
      },
    ],
    clearsAt: '17m',
  },
  {
    // While Postgres is away it is full of callbacks, as it should be.
    alert: 'GatewaySpoolNotReplayed',
    series: {
      [`gateway_spooled_callbacks{${SERVE}}`]: '0x2 212x20 0x9',
      [`gateway_database_up{${SERVE}}`]: '1x2 0x9 1x30',
    },
    silentAt: '13m',
    firesAt: '14m',
    says: [{ summary: 'The spool holds 212 callbacks although Postgres is back.' }],
    clearsAt: '25m',
  },
  {
    alert: 'GatewaySpoolDiskFills',
    series: {
      [`gateway_spool_free_bytes{${SERVE}}`]: '5e9x2 52428800x9 5e9x9',
      [`gateway_spool_free_bytes{${OTHER}}`]: '5e9x30',
    },
    silentAt: '3m',
    firesAt: '5m',
    says: [
      {
        labels: { instance: 'a:8081' },
        summary: 'The disk of the spool of a:8081 has 50MiB left: callbacks are lost when it is full.',
      },
    ],
    clearsAt: '13m',
  },
  {
    alert: 'GatewaySpoolDamaged',
    series: { [`gateway_spool_files_aside{${SERVE}}`]: '0x2 1x9 0x9' },
    silentAt: '2m',
    firesAt: '3m',
    says: [{ summary: '1 files of the spool could not be used and are kept aside.' }],
    clearsAt: '13m',
  },
  {
    alert: 'GatewayCallbacksStopped',
    series: {
      [`gateway_pushes_total{${SERVE},outcome="accepted"}`]: '0+4x60',
      [`gateway_callbacks_total{${SERVE},token="known"}`]: '0+4x10 40x20 40+4x30',
    },
    silentAt: '28m',
    firesAt: '31m',
    says: [
      {
        summary:
          'Daraja took 60 pushes in 15 minutes and called back for none: outcomes come late, by the query.',
      },
    ],
    clearsAt: '34m',
  },
  {
    alert: 'GatewayCallbacksNotInterpreted',
    series: { [`gateway_oldest_due_duty_age_seconds{${SERVE},duty="interpret"}`]: '0x2 90+60x5 0x9' },
    silentAt: '3m',
    firesAt: '5m',
    says: [
      {
        summary:
          'A callback has waited for 3m 30s to be interpreted: its payment is paid or not, and nobody is told.',
      },
    ],
    clearsAt: '9m',
  },
  {
    alert: 'GatewayCallbacksRefused',
    series: { [`gateway_callbacks_refused_total{${SERVE},kept="yes"}`]: '0x5 40x40' },
    silentAt: '5m',
    firesAt: '6m',
    says: [
      {
        summary:
          '40 callbacks were refused in 15 minutes, for they came from addresses that may not call back.',
      },
    ],
    clearsAt: '22m',
  },
]
