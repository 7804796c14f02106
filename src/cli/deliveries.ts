import { Command } from 'commander'
import { findAttempts, findDelivery, type ListedDelivery, listDeliveries } from '../core/deliveries/find.ts'
import { cancelCommand, retryCommand } from './change-deliveries.ts'
import { useDatabase } from './database.ts'
import { addFilter, type FilterOptions, readFilter } from './delivery-filter.ts'
import { endpointsCommand, pauseCommand, resumeCommand } from './endpoints.ts'
import type { Environment } from './environment.ts'
import { maskRow } from './mask-row.ts'
import { CommandError, printJson, printLine, printTable, toText } from './output.ts'
import { readId } from './read-id.ts'
import { readLimit } from './read-limit.ts'

type ListOptions = FilterOptions & { limit: string; before?: string; json?: true }

const MAX_LISTED = 1000

/** `deliveries …`: what partners are told, and the endpoints that it goes to. */
export const deliveriesCommand = (environment: Environment): Command => {
  const deliveries = new Command('deliveries').description(
    'show, list, retry and cancel what partners are told; pause and resume their endpoints',
  )
  const list = new Command('list')
    .description('list deliveries, newest first')
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only deliveries with a smaller id: the next page')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  gateway deliveries list --state dead --since 7d\n  gateway deliveries list --partner 7 --error-class tls --json',
    )
    .action((options: ListOptions) => runList(environment, options))
  deliveries
    .command('show <id>')
    .description('show one delivery with its attempts')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway deliveries show 17')
    .action((id: string, options: { json?: true }) => show(environment, id, options))
  return deliveries
    .addCommand(addFilter(list))
    .addCommand(retryCommand(environment))
    .addCommand(cancelCommand(environment))
    .addCommand(endpointsCommand(environment))
    .addCommand(pauseCommand(environment))
    .addCommand(resumeCommand(environment))
}

const runList = async (environment: Environment, options: ListOptions): Promise<void> => {
  const limit = readLimit(options.limit, MAX_LISTED)
  const before = options.before === undefined ? null : readId('value of --before', options.before)
  const filter = readFilter(options, new Date())
  const rows = await useDatabase(environment, (database) =>
    listDeliveries({ database, filter, limit, before }),
  )
  if (options.json) return printJson(rows)
  printTable(rows.map(toLine), 'There are no such deliveries.')
}

/** What fits on a screen; `show` has the rest. */
const toLine = (row: ListedDelivery) => ({
  delivery_id: row.delivery_id,
  payment_id: row.payment_id,
  partner_id: row.partner_id,
  host: row.host,
  state: row.state,
  attempts: row.attempts,
  error_class: row.error_class,
  status: row.status,
  created_at: row.created_at,
  next_attempt_at: row.next_attempt_at,
})

const show = async (environment: Environment, text: string, options: { json?: true }): Promise<void> => {
  const id = readId('delivery', text)
  const found = await useDatabase(environment, async (database) => ({
    delivery: await findDelivery(database, id),
    attempts: await findAttempts(database, id),
  }))
  if (found.delivery === undefined) throw new CommandError(`there is no delivery ${id}`)
  const [delivery, attempts] = [maskRow(found.delivery), found.attempts.map(maskRow)]
  if (options.json) return printJson({ ...delivery, attempts })
  for (const [name, value] of Object.entries(delivery)) printLine(`${name.padEnd(16)} ${toText(value)}`)
  printLine('')
  printTable(attempts, 'It has not been attempted yet.')
}
