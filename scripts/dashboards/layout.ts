import { type Row, rate, rateBy } from './chart.ts'
import { DELIVERIES, QUEUE } from './delivery-rows.ts'

const MONEY: Row = {
  title: 'Money',
  charts: [
    {
      title: 'Requests for payments',
      unit: 'ops',
      lines: [rateBy('result', 'gateway_payment_requests_total')],
      isStacked: true,
    },
    {
      title: 'Paid and failed',
      unit: 'ops',
      lines: [rateBy('outcome', 'gateway_payments_settled_total')],
      isStacked: true,
    },
    {
      title: 'Failed, by reason',
      unit: 'ops',
      lines: [rateBy('reason', 'gateway_payments_failed_total')],
      isStacked: true,
    },
    {
      title: 'Settled, by how it was known',
      unit: 'ops',
      lines: [rateBy('cause', 'gateway_payments_settled_total')],
      isStacked: true,
    },
    {
      title: 'Overdue payments, and findings',
      unit: 'short',
      lines: [
        ['max(gateway_overdue_payments)', 'overdue'],
        ['sum by (kind) (increase(gateway_payment_findings_total[1h]))', '{{kind}} in an hour'],
      ],
    },
    {
      title: 'Watchers of events',
      unit: 'short',
      lines: [['sum(gateway_watchers)', 'watchers'], rate('gateway_events_sent_total', 'events a second')],
    },
  ],
}

const DARAJA: Row = {
  title: 'Daraja',
  charts: [
    { title: 'Pushes', unit: 'ops', lines: [rateBy('outcome', 'gateway_pushes_total')], isStacked: true },
    {
      title: 'Held off',
      unit: 'short',
      lines: [
        ['sum(increase(gateway_daraja_holds_total[5m]))', 'times in 5 minutes'],
        ['max(gateway_overloaded_accounts)', 'overloaded accounts'],
      ],
    },
    {
      title: 'Wait for the push',
      unit: 's',
      lines: [
        ['max(gateway_expected_push_wait_seconds)', 'expected'],
        ['max by (duty) (gateway_oldest_due_duty_age_seconds)', 'oldest to {{duty}}'],
      ],
    },
    {
      title: 'What is still to be done',
      unit: 'short',
      lines: [['max by (duty) (gateway_open_duties)', '{{duty}}']],
    },
    { title: 'Queries', unit: 'ops', lines: [rateBy('answer', 'gateway_queries_total')], isStacked: true },
    {
      title: 'Pages of M-PESA’s records',
      unit: 'ops',
      lines: [rateBy('answer', 'gateway_pulls_total')],
      isStacked: true,
    },
  ],
}

const CALLBACKS: Row = {
  title: 'Callbacks',
  charts: [
    {
      title: 'Callbacks, by whose token',
      unit: 'ops',
      lines: [rateBy('token', 'gateway_callbacks_total')],
      isStacked: true,
    },
    {
      title: 'Lost, and refused',
      unit: 'ops',
      lines: [
        rate('gateway_callbacks_not_kept_total', 'lost'),
        [
          'sum by (kept) (rate(gateway_callbacks_refused_total[$__rate_interval]))',
          'refused, kept: {{kept}}',
        ],
      ],
    },
    {
      title: 'Spool',
      unit: 'short',
      lines: [
        ['max by (instance) (gateway_spooled_callbacks)', 'callbacks at {{instance}}'],
        ['max by (instance) (gateway_spool_files_aside)', 'files aside at {{instance}}'],
      ],
    },
    {
      title: 'Room on the disk of the spool',
      unit: 'bytes',
      lines: [
        ['min by (instance) (gateway_spool_free_bytes)', '{{instance}}'],
        ['sum(increase(gateway_stranger_bytes_total[1h]))', 'of unknown senders, in an hour'],
      ],
    },
  ],
}

const DATABASE: Row = {
  title: 'Database',
  charts: [
    {
      title: 'Postgres takes writes',
      unit: 'short',
      lines: [['min by (job, instance) (gateway_database_up)', '{{job}} {{instance}}']],
    },
    {
      title: 'Older than what was given out',
      unit: 'short',
      lines: [['max(gateway_database_restored)', 'restored']],
    },
    {
      title: 'Age of the totals',
      unit: 's',
      lines: [['max(gateway_totals_age_seconds)', 'summed up to so long ago']],
    },
  ],
}

const PROCESSES: Row = {
  title: 'Processes',
  charts: [
    { title: 'Up', unit: 'short', lines: [['sum by (job) (up{job=~"gateway-.+"})', '{{job}}']] },
    {
      title: 'CPU',
      unit: 'percentunit',
      lines: [
        [
          'sum by (job, instance) (rate(gateway_process_cpu_seconds_total[$__rate_interval]))',
          '{{job}} {{instance}}',
        ],
      ],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      lines: [['sum by (job, instance) (gateway_process_resident_memory_bytes)', '{{job}} {{instance}}']],
    },
    {
      title: 'Lag of the event loop, 99 %',
      unit: 's',
      lines: [['max by (job, instance) (gateway_nodejs_eventloop_lag_p99_seconds)', '{{job}} {{instance}}']],
    },
    {
      title: 'Errors in the log',
      unit: 'short',
      lines: [['sum by (event) (increase(gateway_log_errors_total[5m]))', '{{event}} in 5 minutes']],
    },
    {
      title: 'Spans to the collector',
      unit: 'ops',
      lines: [rate('gateway_spans_exported_total', 'taken'), rateBy('reason', 'gateway_spans_dropped_total')],
    },
    {
      title: 'Turned away',
      unit: 'ops',
      lines: [
        rateBy('reason', 'gateway_callers_refused_total'),
        [
          'sum by (door, reason) (rate(gateway_connections_cut_total[$__rate_interval]))',
          'cut at {{door}}: {{reason}}',
        ],
      ],
    },
    {
      title: 'Sign-ins to the console',
      unit: 'short',
      lines: [
        ['sum by (outcome) (increase(gateway_console_sign_ins_total[5m]))', '{{outcome}} in 5 minutes'],
      ],
      isStacked: true,
    },
  ],
}

/** The dashboard, from top to bottom. */
export const ROWS: readonly Row[] = [MONEY, DARAJA, CALLBACKS, DELIVERIES, QUEUE, DATABASE, PROCESSES]
