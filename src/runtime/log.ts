import { type DestinationStream, type Logger, pino } from 'pino'
import { toVisibleLines } from '../values/visible-text.ts'
import { createLineWriter } from './line-writer.ts'
import { createRedact } from './redact.ts'

export type Log = Logger

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * The process's log: one JSON line an event, on standard error, so that standard output stays free for answers and the
 * ready line. `name` is the process (`serve`, `dispatch`, …). Lines are gathered for a moment and written
 * together: a line costs the hot path no system call. What is left is written when the process exits. Whatever field it
 * stands in, no number, key, token or secret is written whole (`redact`), and nothing that a terminal would obey;
 * `secrets` are those that only the settings know.
 */
export const createLog = (options: {
  name: string
  level: LogLevel
  secrets?: readonly string[]
  /** The trace of a payment, where traces are made: it stands in each line about one. */
  traceIdOf?: ((paymentId: bigint) => string) | undefined
  to?: DestinationStream
  /** Is told of each line, as it was before anything in it was masked; of errors also where the log begins above them. */
  onLine?: (line: string) => void
}): Log => {
  const redact = createRedact({ secrets: options.secrets, urlPaths: true })
  const { level, onLine } = options
  const isAboveErrors = level === 'fatal' || level === 'silent'
  const isWritten = (line: string): boolean =>
    !isAboveErrors || (level === 'fatal' && line.startsWith('{"level":"fatal"'))
  return pino(
    {
      name: options.name,
      level: isAboveErrors && onLine !== undefined ? 'error' : level,
      base: { name: options.name, pid: process.pid },
      timestamp: createTimestamp(),
      formatters: {
        level: (label) => ({ level: label }),
        ...(options.traceIdOf && { log: withTrace(options.traceIdOf) }),
      },
      hooks: {
        streamWrite: (line) => {
          onLine?.(line)
          return isWritten(line) ? toVisibleLines(redact(line)) : ''
        },
      },
    },
    options.to ?? createLineWriter(2),
  )
}

/** The trace that a caller named gives way to the payment's own. */
const withTrace =
  (traceIdOf: (paymentId: bigint) => string) =>
  (line: Record<string, unknown>): Record<string, unknown> => {
    const { payment_id: id, trace_id: given } = line
    if (typeof id !== 'number' && typeof id !== 'bigint') return line
    return { ...line, trace_id: traceIdOf(BigInt(id)), caller_trace_id: given }
  }

/** Writes out what the log still holds; resolves when it has. */
export const flushLog = (log: Log): Promise<void> => new Promise((resolve) => log.flush(() => resolve()))

/** The field `time`, as `pino.stdTimeFunctions.isoTime` has it: made once a millisecond, it was a fifth of a line's cost. */
const createTimestamp = (): (() => string) => {
  let madeMs = Number.NaN
  let field = ''
  return () => {
    const nowMs = Date.now()
    if (nowMs !== madeMs) field = `,"time":"${new Date(nowMs).toISOString()}"`
    madeMs = nowMs
    return field
  }
}
