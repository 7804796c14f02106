import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type Command, Option } from 'commander'
import { CANCELLED_STATES, RETRIED_STATES } from '../core/deliveries/change-many.ts'
import { DELIVERY_STATES, type ShownDeliveryState } from '../core/deliveries/filter.ts'
import { MAX_NAMED, MAX_PER_SECOND } from '../core/services/delivery-methods.ts'
import {
  type DeliveryChange,
  DeliveryChangeSchema,
  type DeliveryService,
  DeliveryState,
} from '../gen/mpesa/gateway/v1/deliveries_pb.js'
import { toRow } from '../runtime/message-row.ts'
import type { OperatorClient } from '../runtime/operator-client.ts'
import { useDeliveries } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, optional, readId, readLimit, readTime } from './options.ts'
import { CommandError, print, printJson, printLine, printTable } from './output.ts'

/** The options that say which deliveries. */
export type FilterOptions = {
  partner?: string
  host?: string
  state?: ShownDeliveryState
  errorClass?: string
  test?: true
  since?: string
  until?: string
}

type ChangeOptions = FilterOptions & ByOptions & { yes?: true }
type RetryOptions = ChangeOptions & { rate?: string; sendDeliveredAgain?: true }
type CancelOptions = ChangeOptions & { reason: string }

/** Adds the options that say which deliveries; `states` are those that may be asked for. */
export const addFilter = (
  command: Command,
  states: readonly ShownDeliveryState[] = DELIVERY_STATES,
): Command =>
  command
    .option('--partner <id>', 'only those of this partner')
    .option('--test', 'those of test payments, instead of those of real ones')
    .option('--host <host>', 'only those to this host of callback URLs')
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--error-class <class>', 'only those whose last attempt failed so: dns, timeout, status, …')
    .option('--since <time>', 'only those created since: 2026-05-04, 2026-05-04T18:00:00Z, or 2h ago as 2h')
    .option('--until <time>', 'only those created before')

const STATES: Readonly<Record<ShownDeliveryState | 'all', DeliveryState>> = {
  all: DeliveryState.UNSPECIFIED,
  pending: DeliveryState.PENDING,
  held: DeliveryState.HELD,
  delivered: DeliveryState.DELIVERED,
  dead: DeliveryState.DEAD,
  cancelled: DeliveryState.CANCELLED,
}

/** Reads the options. */
export const readFilter = (options: FilterOptions) => ({
  partnerId: optional(options.partner, readId('partner')),
  test: options.test === true,
  host: options.host,
  state: STATES[options.state ?? 'all'],
  errorClass: options.errorClass,
  createdSince: optional(options.since, (text) => timestampFromDate(readTime('--since', text))),
  createdUntil: optional(options.until, (text) => timestampFromDate(readTime('--until', text))),
})

/** `deliveries retry`: one or some by their ids, or all that fit. */
export const addRetry = (environment: Environment, deliveries: Command): Command =>
  addFilter(deliveries.command('retry'), [...RETRIED_STATES, 'delivered'])
    .argument('[ids...]', 'the deliveries; without, all that fit the options')
    .description('make deliveries due now: those that wait, and those that are dead or cancelled')
    .option('--yes', 'retries all that fit; without, only counts them')
    .option('--rate <count>', `so many become due a second, 1 to ${MAX_PER_SECOND}; all at once by default`)
    .option('--send-delivered-again', 'sends those that were delivered once more, too')
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExamples:\n  gateway deliveries retry 17\n  gateway deliveries retry --state dead --partner 7 --since 2d --rate 20 --yes',
    )
    .action((ids: string[], options: RetryOptions) => retry(environment, ids, options))

/** `deliveries cancel`: one or some by their ids, or all that fit. */
export const addCancel = (environment: Environment, deliveries: Command): Command =>
  addFilter(deliveries.command('cancel'), CANCELLED_STATES)
    .argument('[ids...]', 'the deliveries; without, all that fit the options')
    .description('end deliveries that wait: they are not sent any more, unless they are retried')
    .requiredOption('--reason <reason>', 'why, for whoever asks later; kept with each delivery')
    .option('--yes', 'cancels all that fit; without, only counts them')
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExamples:\n  gateway deliveries cancel 17 --reason "told by telephone"\n  gateway deliveries cancel --state held --host shop.co.ke --reason "closed for good" --yes',
    )
    .action((ids: string[], options: CancelOptions) => cancel(environment, ids, options))

const retry = async (environment: Environment, texts: string[], options: RetryOptions): Promise<void> => {
  const sendDeliveredAgain = options.sendDeliveredAgain === true
  const states = sendDeliveredAgain ? ([...RETRIED_STATES, 'delivered'] as const) : RETRIED_STATES
  const selections = readSelections(texts, options, states)
  const perSecond = options.rate === undefined ? 0 : readLimit(options.rate, MAX_PER_SECOND, '--rate')
  if (perSecond > 0 && selections.length > 1) {
    throw new CommandError(`--rate is for at most ${MAX_NAMED} ids: name more by --state and other options`)
  }
  await change(environment, { selections, options, verb: 'retried' }, async (service, selection) => {
    const request = { ...selection, perSecond, sendDeliveredAgain }
    const { retried, ...others } = await service.retryDeliveries(request)
    return Object.assign(others, { changed: retried })
  })
}

const cancel = async (environment: Environment, texts: string[], options: CancelOptions): Promise<void> => {
  const selections = readSelections(texts, options, CANCELLED_STATES)
  await change(environment, { selections, options, verb: 'cancelled' }, async (service, selection) => {
    const request = { ...selection, reason: options.reason }
    const { cancelled, ...others } = await service.cancelDeliveries(request)
    return Object.assign(others, { changed: cancelled, held: 0n })
  })
}

/** What one request is about: ids, or all that fit the filter. */
type Selection = { deliveryIds: bigint[] } | { filter: Filter; validateOnly: boolean }

type Filter = ReturnType<typeof readFilter>

/** One for all that fit; ids in as many as it takes. */
const readSelections = (
  texts: readonly string[],
  options: ChangeOptions,
  states: readonly ShownDeliveryState[],
): Selection[] => {
  const filter = readFilter(options)
  if (texts.length === 0) {
    if (options.state !== undefined && states.includes(options.state)) {
      return [{ filter, validateOnly: !options.yes }]
    }
    throw new CommandError(`name deliveries by their ids, or by --state ${states.join(', ')}`)
  }
  const { state, test, ...others } = filter
  if (state !== STATES.all || test || Object.values(others).some((value) => value !== undefined)) {
    throw new CommandError('name deliveries by their ids, or by options, not both')
  }
  const ids = [...new Set(texts.map(readId('delivery')))]
  const starts = [...ids.keys()].filter((index) => index % MAX_NAMED === 0)
  return starts.map((start) => ({ deliveryIds: ids.slice(start, start + MAX_NAMED) }))
}

/**
 * `held`: how many of those that were changed wait for their endpoints. `foundOrMore`: there are more than were looked at,
 * so that more may fit.
 */
type Changed = {
  found: bigint
  foundOrMore: boolean
  changed: bigint
  changes: DeliveryChange[]
  held: bigint
}

/** Counts what fits, or changes it; whatever is named by its id is changed at once. */
const change = async (
  environment: Environment,
  what: { selections: readonly Selection[]; options: ChangeOptions; verb: 'retried' | 'cancelled' },
  ask: (service: OperatorClient<typeof DeliveryService>, selection: Selection) => Promise<Changed>,
): Promise<void> => {
  const { selections, options, verb } = what
  const all: Changed = { found: 0n, foundOrMore: false, changed: 0n, changes: [], held: 0n }
  await useDeliveries(environment, options.by, async (service) => {
    for (const selection of selections) {
      const { found, foundOrMore, changed, changes, held } = await ask(service, selection)
      all.found += found
      all.foundOrMore ||= foundOrMore
      all.changed += changed
      all.held += held
      all.changes.push(...changes)
    }
  })
  const value = {
    found: all.found,
    ...(all.foundOrMore && { found_or_more: true }),
    [verb]: all.changed,
    ...(verb === 'retried' && { held: all.held }),
  }
  const [first] = selections
  if (first === undefined || 'deliveryIds' in first) {
    if (all.changed === 0n) process.exitCode = 1
    const changes = all.changes.map((one) => toRow(DeliveryChangeSchema, one))
    const whole = { ...value, changes }
    if (options.json) return printJson(whole)
    printTable(changes, '')
    return all.held > 0n ? printLine(heldLine(all.held)) : undefined
  }
  const leftAlone = all.found - all.changed
  const line = first.validateOnly
    ? `${deliveries(all.found)}${all.foundOrMore ? ' or more' : ''} would be ${verb}. Nothing was changed: add --yes to go on.`
    : `${deliveries(all.changed)} ${verb}.${leftAlone > 0n ? ` ${leftAlone} left alone: ${whyLeftAlone(verb, leftAlone)}.` : ''}`
  print(options, value, all.held > 0n ? [line, heldLine(all.held)] : line)
}

const whyLeftAlone = (verb: 'retried' | 'cancelled', count: bigint): string => {
  const whose = count === 1n ? 'its payment has' : 'their payments have'
  return `an attempt is under way${verb === 'retried' ? `, or ${whose} succeeded since` : ''}`
}

/** What those wait for that are due, and still do not go out. */
const heldLine = (held: bigint): string =>
  `${held} of them ${held === 1n ? 'is' : 'are'} held, and go out when their endpoints are back: \`gateway deliveries endpoints\` shows these and until when they are down, \`gateway deliveries probe\` has one asked now.`

const deliveries = (count: bigint): string => (count === 1n ? '1 delivery' : `${count} deliveries`)
