import { writeSync } from 'node:fs'
import { type DestinationStream, destination, type Logger, pino } from 'pino'

export type Log = Logger

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

const GATHERED_MS = 100
const GATHERED_BYTES = 4096

/**
 * The process's log: one JSON line an event, on standard error, so that standard output stays free for answers and the
 * ready line. `name` is the process (`serve`, `dispatch`, …). Lines are gathered for at most `GATHERED_MS` and written
 * together: a line costs the hot path no system call. What is left is written when the process exits.
 */
export const createLog = (options: { name: string; level: LogLevel; to?: DestinationStream }): Log =>
  pino(
    {
      name: options.name,
      level: options.level,
      base: { name: options.name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.to ?? standardError(),
  )

const STANDARD_ERROR = 2

const standardError = (): DestinationStream => {
  const stream = destination({
    fd: STANDARD_ERROR,
    sync: false,
    minLength: GATHERED_BYTES,
    periodicFlush: GATHERED_MS,
  })
  const writeLast = stream.flushSync.bind(stream)
  // At the exit sonic-boom would repeat its last write for ever into a pipe whose reader is gone, and the process never end.
  stream.flushSync = () => {
    if (hasReader(STANDARD_ERROR)) writeLast()
  }
  return stream
}

/** Whether what is written still goes somewhere; an empty line asks. A reader that is merely slow counts. */
const hasReader = (fd: number): boolean => {
  try {
    writeSync(fd, '\n')
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
  }
}

/** Writes out what the log still holds; resolves when it has. */
export const flushLog = (log: Log): Promise<void> => new Promise((resolve) => log.flush(() => resolve()))
