import { type DestinationStream, destination, type Logger, pino } from 'pino'

export type Log = Logger

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * The process's log: one JSON line an event, on standard error, so that standard output stays free for answers and the
 * ready line. `name` is the process (`serve`, `dispatch`, …). Lines are written asynchronously in chunks of 4 kB at most:
 * a line costs the hot path no system call; `flushLog` writes what is left.
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
    options.to ?? destination({ fd: 2, sync: false, minLength: 0 }),
  )

/** Writes out what the log still holds; resolves when it has. */
export const flushLog = (log: Log): Promise<void> => new Promise((resolve) => log.flush(() => resolve()))
