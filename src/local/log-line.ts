import { z } from 'zod'
import { toVisibleLine } from '../values/visible-text.ts'

const logLine = z.looseObject({ level: z.string(), time: z.string(), event: z.string().optional() })

/** What a log line holds beside its event, and what a person need not see of it. */
const UNTOLD = new Set(['level', 'time', 'name', 'pid', 'event', 'msg', 'stack'])

const LEVELS_TOLD = new Set(['warn', 'error', 'fatal'])

const parseLogLine = (line: string): z.output<typeof logLine> | null => {
  try {
    return logLine.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null
  }
}

const valueAsText = (value: unknown): string =>
  typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)

/**
 * A line of a process's log as a person at a terminal wants it, `10:58:12 dispatch: delivery_failed status=500`; null for
 * what is not worth a line: all but warnings, errors and the story of the deliveries. What is no log line stays as it is, but
 * for what a terminal would obey.
 */
export const readableLogLine = (name: string, line: string): string | null => {
  const parsed = parseLogLine(line)
  if (parsed === null) return line.trim() === '' ? null : toVisibleLine(`${name}: ${line}`)
  const { level, time, event = '' } = parsed
  if (!LEVELS_TOLD.has(level) && !event.startsWith('delivery')) return null
  const details = Object.entries(parsed)
    .filter(([key, value]) => !UNTOLD.has(key) && value !== null)
    .map(([key, value]) => `${key}=${valueAsText(value)}`)
  const levelTold = level === 'info' ? [] : [`${level}:`]
  return toVisibleLine([time.slice(11, 19), `${name}:`, ...levelTold, event, ...details].join(' '))
}
