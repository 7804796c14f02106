import { Command } from 'commander'
import {
  CANCELLED_STATES,
  type Changed,
  cancelMany,
  RETRIED_STATES,
  retryMany,
  type Selection,
} from '../core/deliveries/change-many.ts'
import type { ShownDeliveryState } from '../core/deliveries/filter.ts'
import { countDeliveries } from '../core/deliveries/find.ts'
import { parseReason } from '../core/deliveries/reason.ts'
import type { Database } from '../database/connect.ts'
import { useDatabase } from './database.ts'
import { addFilter, type FilterOptions, readFilter, required } from './delivery-filter.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'
import { readId } from './read-id.ts'
import { readLimit } from './read-limit.ts'

type ChangeOptions = FilterOptions & { yes?: true; by?: string; json?: true }
type RetryOptions = ChangeOptions & { rate?: string; sendDeliveredAgain?: true }
type CancelOptions = ChangeOptions & { reason: string }

const MAX_PER_SECOND = 1000

/** `deliveries retry`: one or some by their ids, or all that fit. */
export const retryCommand = (environment: Environment): Command =>
  addFilter(
    new Command('retry')
      .argument('[ids...]', 'the deliveries; without, all that fit the options')
      .description('make deliveries due now: those that wait, and those that are dead or cancelled')
      .option('--yes', 'retries all that fit; without, only counts them')
      .option(
        '--rate <count>',
        `so many become due a second, 1 to ${MAX_PER_SECOND}; all at once unless told`,
      )
      .option('--send-delivered-again', 'sends those that were delivered once more, too'),
    [...RETRIED_STATES, 'delivered'],
  )
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  gateway deliveries retry 17\n  gateway deliveries retry --state dead --partner 7 --since 2d --rate 20 --yes',
    )
    .action((ids: string[], options: RetryOptions) => retry(environment, ids, options))

/** `deliveries cancel`: one or some by their ids, or all that fit. */
export const cancelCommand = (environment: Environment): Command =>
  addFilter(
    new Command('cancel')
      .argument('[ids...]', 'the deliveries; without, all that fit the options')
      .description('end deliveries that wait: they are not sent any more, unless they are retried')
      .requiredOption('--reason <reason>', 'why, for whoever asks later; kept with each delivery')
      .option('--yes', 'cancels all that fit; without, only counts them'),
    CANCELLED_STATES,
  )
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  gateway deliveries cancel 17 --reason "told by telephone"\n  gateway deliveries cancel --state held --host shop.co.ke --reason "closed for good" --yes',
    )
    .action((ids: string[], options: CancelOptions) => cancel(environment, ids, options))

const retry = async (environment: Environment, ids: string[], options: RetryOptions): Promise<void> => {
  const sendDeliveredAgain = options.sendDeliveredAgain === true
  const selection = readSelection(ids, options, [
    ...RETRIED_STATES,
    ...(sendDeliveredAgain ? (['delivered'] as const) : []),
  ])
  const perSecond = options.rate === undefined ? null : readLimit(options.rate, MAX_PER_SECOND, '--rate')
  const actor = toOperator(options.by)
  await change(environment, { selection, options, verb: 'retried' }, (database) =>
    retryMany({ database, actor, selection, sendDeliveredAgain, perSecond }),
  )
}

const cancel = async (environment: Environment, ids: string[], options: CancelOptions): Promise<void> => {
  const selection = readSelection(ids, options, CANCELLED_STATES)
  const reason = required('--reason', parseReason(options.reason))
  const actor = toOperator(options.by)
  await change(environment, { selection, options, verb: 'cancelled' }, (database) =>
    cancelMany({ database, actor, selection, reason }),
  )
}

const readSelection = (
  texts: readonly string[],
  options: FilterOptions,
  states: readonly ShownDeliveryState[],
): Selection => {
  const filter = readFilter(options, new Date())
  const isFiltered = Object.values(filter).some((value) => value !== null)
  if (texts.length > 0) {
    if (isFiltered) throw new CommandError('name deliveries by their ids, or by options, not both')
    return { ids: texts.map((text) => readId('delivery', text)) }
  }
  if (filter.state === null || !states.includes(filter.state)) {
    throw new CommandError(`name deliveries by their ids, or by --state ${states.join(', ')}`)
  }
  return { filter }
}

/** Counts what fits, or changes it; whatever is named by its id is changed at once. */
const change = async (
  environment: Environment,
  what: { selection: Selection; options: ChangeOptions; verb: 'retried' | 'cancelled' },
  work: (database: Database) => Promise<Changed>,
): Promise<void> => {
  const { selection, options, verb } = what
  if ('filter' in selection && !options.yes) {
    const found = await useDatabase(environment, (database) => countDeliveries(database, selection.filter))
    if (options.json) return printJson({ found, [verb]: 0 })
    return printLine(`${deliveries(found)} would be ${verb}. Nothing was changed: add --yes to go on.`)
  }
  const done = await useDatabase(environment, work)
  if ('ids' in selection && done.changed === 0) process.exitCode = 1
  const changes = done.changes.map(({ deliveryId, outcome }) => ({ delivery_id: deliveryId, outcome }))
  if (options.json) {
    return printJson({
      found: done.found,
      [verb]: done.changed,
      ...('ids' in selection && { changes }),
    })
  }
  if ('ids' in selection) return printTable(changes, '')
  const leftAlone = done.found - done.changed
  printLine(
    `${deliveries(done.changed)} ${verb}.${leftAlone > 0 ? ` ${leftAlone} left alone: an attempt is under way.` : ''}`,
  )
}

const deliveries = (count: number): string => (count === 1 ? '1 delivery' : `${count} deliveries`)
