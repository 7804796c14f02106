/**
 * Why an attempt failed, named after the stage that failed:
 * `blocked` the address may not be connected to · `dns` no address · `refused` nobody listens · `unreachable` no way
 * there · `reset` the connection broke · `tls` · `timeout` · `protocol` no HTTP that we understand · `too_large` more
 * answer than is read · `redirect` a 3xx, never followed · `status` any other status than 2xx · `not_signed` nothing
 * was sent, for the partner's secret cannot be opened.
 */
export const ERROR_CLASSES = [
  'blocked',
  'dns',
  'refused',
  'unreachable',
  'reset',
  'tls',
  'timeout',
  'protocol',
  'too_large',
  'redirect',
  'status',
  'not_signed',
] as const

export type ErrorClass = (typeof ERROR_CLASSES)[number]
