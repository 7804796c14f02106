/** A `traceparent` of version 00: trace, parent, flags (https://www.w3.org/TR/trace-context/#traceparent-header). */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/

/** What a header holds: null, or several, where it is not there once. */
type Given = string | readonly string[] | null | undefined

/** The span of a caller that a `traceparent` names; null where it is none, which the standard has ignored. */
export const parsePlace = (given: Given): { traceId: string; spanId: string } | null => {
  const [, traceId, spanId] = (typeof given === 'string' && TRACEPARENT.exec(given)) || []
  return traceId === undefined || spanId === undefined ? null : { traceId, spanId }
}

/** The id of the trace that a call belongs to, 32 hexadecimal digits, by the `traceparent` that its caller gave. */
export const parseTraceId = (given: Given): string | undefined => parsePlace(given)?.traceId

/** What names a span to whom it calls. The flag says that it is kept; whether ours are, their trace's id decides. */
export const renderTraceparent = ({ traceId, spanId }: { traceId: string; spanId: string }): string =>
  `00-${traceId}-${spanId}-01`
