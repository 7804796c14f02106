import { Command } from 'commander'
import { listEndpoints, pauseEndpoint, resumeEndpoint } from '../core/deliveries/endpoints.ts'
import { parseHost } from '../core/deliveries/filter.ts'
import type { Endpoint } from '../values/endpoint.ts'
import { useDatabase } from './database.ts'
import { required } from './delivery-filter.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'
import { readId } from './read-id.ts'

type ListOptions = { partner?: string; paused?: true; json?: true }
type PauseOptions = { partner: string; host: string; by?: string; json?: true }

/** Endpoints that are listed at most: that so many are in trouble is a trouble of ours. */
const MAX_LISTED = 1000

/** `deliveries endpoints`: how the endpoints of partners are doing. */
export const endpointsCommand = (environment: Environment): Command =>
  new Command('endpoints')
    .description('list endpoints that had trouble, are paused, or have held, dead or cancelled deliveries')
    .option('--partner <id>', 'only those of this partner')
    .option('--paused', 'only those that are paused')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway deliveries endpoints --paused')
    .action((options: ListOptions) => list(environment, options))

/** `deliveries pause`: holds back everything for one endpoint. */
export const pauseCommand = (environment: Environment): Command =>
  addEndpoint(new Command('pause'))
    .description('hold back everything for an endpoint until it is resumed; nothing is lost')
    .addHelpText('after', '\nExample:\n  gateway deliveries pause --partner 7 --host shop.co.ke')
    .action((options: PauseOptions) => pause(environment, options))

/** `deliveries resume`: lets go of what was held back. */
export const resumeCommand = (environment: Environment): Command =>
  addEndpoint(new Command('resume'))
    .description('let go of what was held back for an endpoint, a little a second and then more')
    .addHelpText('after', '\nExample:\n  gateway deliveries resume --partner 7 --host shop.co.ke')
    .action((options: PauseOptions) => resume(environment, options))

const addEndpoint = (command: Command): Command =>
  command
    .requiredOption('--partner <id>', 'whose endpoint')
    .requiredOption('--host <host>', 'the host of its callback URLs, like shop.co.ke')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')

const list = async (environment: Environment, options: ListOptions): Promise<void> => {
  const partnerId = options.partner === undefined ? null : readId('partner', options.partner)
  const pausedOnly = options.paused === true
  const rows = await useDatabase(environment, (database) =>
    listEndpoints({ database, partnerId, pausedOnly, after: null, limit: MAX_LISTED }),
  )
  if (options.json) return printJson(rows)
  printTable(rows, 'There are no such endpoints.')
}

const pause = async (environment: Environment, options: PauseOptions): Promise<void> => {
  const endpoint = readEndpoint(options)
  const actor = toOperator(options.by)
  const paused = await useDatabase(environment, (database) => pauseEndpoint({ database, ...endpoint, actor }))
  if (paused === null) throw new CommandError(`there is no partner ${endpoint.partnerId}`)
  if (options.json) return printJson({ ...toOutput(endpoint), paused_at: paused.pausedAt })
  printLine(
    `Endpoint ${endpoint.host} of partner ${endpoint.partnerId} is paused since ${paused.pausedAt.toISOString()}: its deliveries are held until it is resumed.`,
  )
}

const resume = async (environment: Environment, options: PauseOptions): Promise<void> => {
  const endpoint = readEndpoint(options)
  const actor = toOperator(options.by)
  const resumed = await useDatabase(environment, (database) =>
    resumeEndpoint({ database, ...endpoint, actor }),
  )
  if (resumed === null) {
    throw new CommandError(`endpoint ${endpoint.host} of partner ${endpoint.partnerId} is not paused`)
  }
  if (options.json) return printJson({ ...toOutput(endpoint), held: resumed.held })
  printLine(
    `Endpoint ${endpoint.host} of partner ${endpoint.partnerId} is resumed. ${resumed.held} held deliveries are let go, a little a second and then more.`,
  )
}

const readEndpoint = (options: PauseOptions): Endpoint => ({
  partnerId: readId('partner', options.partner),
  host: required('--host', parseHost(options.host)),
})

const toOutput = ({ partnerId, host }: Endpoint) => ({ partner_id: partnerId, host })
