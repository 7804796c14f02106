import { hostname, userInfo } from 'node:os'
import { Option } from 'commander'
import type { Actor } from '../core/audit/record-audit.ts'
import { parseReason } from '../core/deliveries/reason.ts'
import { parseId } from '../values/ids.ts'
import type { Parsed } from '../values/parsed.ts'
import { CommandError } from './output.ts'

// What is typed is read here, for every command alike. Each reader throws a message for a person that names the option.

export type JsonOption = { json?: true }
export type ByOptions = JsonOption & { by?: string }

export const byOption = (): Option =>
  new Option('--by <name>', 'who does it; kept in the audit log (default: the user who is logged in)')

/** The operator at this shell, for the audit log; `name` is what `--by` gave. */
export const toOperator = (name: string | undefined): Extract<Actor, { kind: 'operator' }> => {
  const trimmed = (name ?? nameOfUser()).trim()
  if (trimmed === '' || trimmed.length > 100 || /\p{Cc}/u.test(trimmed)) {
    throw new CommandError('--by must be 1 to 100 printable characters')
  }
  return { kind: 'operator', name: trimmed, from: hostname() }
}

/**
 * The user of this process; by number where the system has no name for it, as in a container with a user of its own.
 */
const nameOfUser = (): string => {
  try {
    return userInfo().username
  } catch {
    return `uid:${process.getuid?.() ?? 'unknown'}`
  }
}

/** What was parsed of an option. */
export const required = <Value>(name: string, parsed: Parsed<Value>): Value => {
  if (!parsed.ok) throw new CommandError(`${name} ${parsed.problem}`)
  return parsed.value
}

/** What `read` makes of an option; undefined where it was not given. */
export const optional = <Value>(
  text: string | undefined,
  read: (text: string) => Value,
): Value | undefined => (text === undefined ? undefined : read(text))

/** Makes the reader of an id; `what` names the thing. */
export const readId =
  (what: string) =>
  (text: string): bigint => {
    const id = parseId(text)
    if (id === null) throw new CommandError(`the ${what} must be an id, a positive whole number, not ${text}`)
    return id
  }

/** Reads a whole number from 1 to `most`. */
export const readLimit = (text: string, most: number, name = '--limit'): number => {
  const limit = Number(text)
  if (!/^\d{1,9}$/.test(text) || limit < 1 || limit > most) {
    throw new CommandError(`${name} must be a whole number from 1 to ${most}, not ${text}`)
  }
  return limit
}

export const readReason = (text: string): string => required('--reason', parseReason(text))

const MS_PER_UNIT: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads `90s`, `15m`, `24h` or `7d` as ms; `0s` is none. */
export const readDuration = (name: string, text: string): number => {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count === undefined) {
    throw new CommandError(`${name} must be a number and a unit, like 90s, 15m, 24h or 7d, not ${text}`)
  }
  return Number(count) * (MS_PER_UNIT[unit] ?? 0)
}

const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)?$/

/** Reads a day or an instant in UTC, or how long ago it was. */
export const readTime = (name: string, text: string): Date => {
  if (/^\d{1,6}[smhd]$/.test(text)) return new Date(Date.now() - readDuration(name, text))
  const instant = new Date(text)
  if (INSTANT.test(text) && !Number.isNaN(instant.getTime())) return instant
  throw new CommandError(
    `${name} must be a day or an instant in UTC, like 2026-05-04 or 2026-05-04T18:00:00Z, or how long ago, like 2h or 7d`,
  )
}
