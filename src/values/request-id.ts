/**
 * What a caller may choose: long enough for every tracing system, and harmless in a log, a header and an error message.
 */
export const REQUEST_ID_PATTERN = /^[A-Za-z0-9._-]{1,128}$/

/**
 * The `x-request-id` that a caller gave, by one rule for REST, native gRPC, Connect and gRPC-Web; undefined where
 * it is none that may be repeated anywhere. `given` is what a header holds: null, or several, where it is not there
 * once.
 */
export const parseRequestId = (given: string | readonly string[] | null | undefined): string | undefined =>
  typeof given === 'string' && REQUEST_ID_PATTERN.test(given) ? given : undefined
