import { type Command, Option } from 'commander'
import {
  DELIVERY_STATES,
  type DeliveryFilter,
  parseErrorClass,
  parseHost,
  type ShownDeliveryState,
} from '../core/deliveries/filter.ts'
import type { Parsed } from '../values/parsed.ts'
import { readDuration } from './duration.ts'
import { CommandError } from './output.ts'
import { readId } from './read-id.ts'

/** The options that say which deliveries. */
export type FilterOptions = {
  partner?: string
  host?: string
  state?: ShownDeliveryState
  errorClass?: string
  since?: string
  until?: string
}

/** Adds the options that say which deliveries; `states` are those that may be asked for. */
export const addFilter = (
  command: Command,
  states: readonly ShownDeliveryState[] = DELIVERY_STATES,
): Command =>
  command
    .option('--partner <id>', 'only those of this partner')
    .option('--host <host>', 'only those to this host of callback URLs')
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--error-class <class>', 'only those whose last attempt failed so: dns, timeout, status, …')
    .option('--since <time>', 'only those created since: 2026-05-04, 2026-05-04T18:00:00Z, or 2h ago as 2h')
    .option('--until <time>', 'only those created before')

/** Reads the options; throws a message that names the one that is wrong. `now` is what `2h` counts back from. */
export const readFilter = (options: FilterOptions, now: Date): DeliveryFilter => ({
  partnerId: options.partner === undefined ? null : readId('partner', options.partner),
  host: options.host === undefined ? null : required('--host', parseHost(options.host)),
  state: options.state ?? null,
  errorClass:
    options.errorClass === undefined ? null : required('--error-class', parseErrorClass(options.errorClass)),
  createdSince: options.since === undefined ? null : readTime('--since', options.since, now),
  createdUntil: options.until === undefined ? null : readTime('--until', options.until, now),
})

/** What was parsed; throws a message that starts with the option's name when it is wrong. */
export const required = <Value>(name: string, parsed: Parsed<Value>): Value => {
  if (!parsed.ok) throw new CommandError(`${name} ${parsed.problem}`)
  return parsed.value
}

const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)?$/

const readTime = (name: string, text: string, now: Date): Date => {
  if (/^\d{1,6}[smhd]$/.test(text)) return new Date(now.getTime() - readDuration(name, text))
  const instant = new Date(text)
  if (INSTANT.test(text) && !Number.isNaN(instant.getTime())) return instant
  throw new CommandError(
    `${name} must be a day or an instant in UTC, like 2026-05-04 or 2026-05-04T18:00:00Z, or how long ago, like 2h or 7d`,
  )
}
