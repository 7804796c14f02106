import { expect, it } from 'vitest'
import { readableLogLine } from '../../src/local/reporter.ts'

const logged = (fields: Record<string, unknown>): string =>
  JSON.stringify({ level: 'info', time: '2026-05-04T18:04:28.123Z', name: 'dispatch', pid: 7, ...fields })

it.each([
  [
    'the story of a delivery',
    logged({ event: 'delivery_attempted', attempt: 1, status: 200, next: null }),
    '18:04:28 dispatch: delivery_attempted attempt=1 status=200',
  ],
  [
    'a warning, with texts of several words in quotes',
    logged({ level: 'warn', event: 'queue_lost', error: 'connection refused' }),
    '18:04:28 dispatch: warn: queue_lost error="connection refused"',
  ],
  ['an event of no interest to a person', logged({ event: 'ready' }), null],
  ['an empty line', '  ', null],
  ['what is no log line', 'HTTP_PORT must be a port', 'dispatch: HTTP_PORT must be a port'],
  ['JSON that is no log line', '{"ready":true}', 'dispatch: {"ready":true}'],
])('%s', (_what, line, readable) => {
  expect(readableLogLine('dispatch', line)).toBe(readable)
})
