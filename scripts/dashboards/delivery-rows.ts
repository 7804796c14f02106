import { RATE, type Row, rateBy } from './chart.ts'

const attemptsWithin = (share: number): readonly [string, string] => [
  `histogram_quantile(${share}, sum by (le) (rate(gateway_delivery_attempt_duration_seconds_bucket${RATE})))`,
  `${share * 100} % within`,
]

export const DELIVERIES: Row = {
  title: 'Deliveries',
  charts: [
    {
      title: 'Attempts, by outcome',
      unit: 'ops',
      lines: [rateBy('outcome', 'gateway_delivery_attempts_total')],
      isStacked: true,
    },
    {
      title: 'Failed attempts, by class of error',
      unit: 'ops',
      lines: [rateBy('error_class', 'gateway_delivery_attempts_total', '{outcome!="delivered"}')],
      isStacked: true,
    },
    {
      title: 'How long attempts take',
      unit: 's',
      lines: [attemptsWithin(0.5), attemptsWithin(0.95), attemptsWithin(0.99)],
    },
    {
      title: 'Open deliveries',
      unit: 'short',
      lines: [['max by (due) (gateway_open_deliveries)', '{{due}}']],
      isStacked: true,
    },
    {
      title: 'Oldest delivery',
      unit: 's',
      lines: [
        ['max(gateway_oldest_overdue_delivery_age_seconds)', 'overdue'],
        ['max(gateway_oldest_open_delivery_age_seconds)', 'open'],
        ['max by (reason) (gateway_oldest_held_delivery_age_seconds)', 'held: {{reason}}'],
      ],
    },
    {
      title: 'Held deliveries',
      unit: 'short',
      lines: [['max by (reason) (gateway_held_deliveries)', '{{reason}}']],
      isStacked: true,
    },
    {
      title: 'Who hears nothing, since when',
      unit: 's',
      lines: [
        [
          'max by (partner, host, reason) (gateway_endpoint_held_age_seconds)',
          '{{partner}}, {{host}}: {{reason}}',
        ],
      ],
    },
    {
      title: 'Endpoints in trouble',
      unit: 'short',
      lines: [
        ['max by (state) (gateway_troubled_endpoints)', '{{state}}'],
        ['sum by (to) (increase(gateway_endpoint_changes_total[5m]))', 'became {{to}} in 5 minutes'],
      ],
    },
    {
      title: 'Failing, dead, recovered',
      unit: 'short',
      lines: [['sum by (signal) (increase(gateway_delivery_signals_total[5m]))', '{{signal}} in 5 minutes']],
    },
    {
      title: 'Signals to operators',
      unit: 'short',
      lines: [['max(gateway_open_signals)', 'waiting']],
    },
    {
      title: 'The oldest signal that waits',
      unit: 's',
      lines: [['max(gateway_oldest_open_signal_age_seconds)', 'age']],
    },
  ],
}

export const QUEUE: Row = {
  title: 'Queue',
  charts: [
    {
      title: 'NATS is there',
      unit: 'short',
      lines: [['min by (job, instance) (gateway_queue_up)', '{{job}} {{instance}}']],
    },
    {
      title: 'Messages',
      unit: 'short',
      lines: [
        ['max(gateway_queue_messages)', 'in the stream'],
        ['max(gateway_queue_max_messages)', 'at most'],
      ],
    },
    {
      title: 'Bytes',
      unit: 'bytes',
      lines: [
        ['max(gateway_queue_bytes)', 'of the stream'],
        ['max(gateway_queue_max_bytes)', 'at most'],
      ],
    },
    {
      title: 'Not published',
      unit: 'ops',
      lines: [rateBy('reason', 'gateway_queue_publish_failures_total')],
      isStacked: true,
    },
  ],
}
