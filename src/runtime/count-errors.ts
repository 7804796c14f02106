import { Counter, type Registry } from 'prom-client'

/** How a line of the log begins that is to be looked at: its level is always its first field. */
const LEVEL = /^\{"level":"(error|fatal)"/

/** Its event: the first field of that name, which is the line's own, for what is inside of a text is escaped. */
const EVENT = /"event":"([a-z0-9_]+)"/

/** Counts the lines of a log at `error` and `fatal`, by event (`none` where a line has none): the function is told of each line. */
export const countErrors = (registry: Registry): ((line: string) => void) => {
  const counter = new Counter({
    name: 'gateway_log_errors_total',
    help: 'Lines of the log at error or fatal, by event',
    labelNames: ['level', 'event'] as const,
    registers: [registry],
  })
  return (line) => {
    const level = LEVEL.exec(line)?.[1]
    if (level !== undefined) counter.inc({ level, event: EVENT.exec(line)?.[1] ?? 'none' })
  }
}
