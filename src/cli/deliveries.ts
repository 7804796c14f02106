import type { MessageInitShape } from '@bufbuild/protobuf'
import { Command } from 'commander'
import {
  AttemptSchema,
  type Delivery,
  DeliverySchema,
  DeliveryService,
  EndpointSchema,
  EndpointState,
  type ListDeliveriesRequestSchema,
} from '../gen/mpesa/gateway/v1/deliveries_pb.js'
import { COLUMNS, toRow, withHeldUntil, withOrMore } from '../runtime/message-row.ts'
import type { OperatorClient } from '../runtime/operator-client.ts'
import { useDeliveries } from './call-service.ts'
import { addCancel, addFilter, addRetry, type FilterOptions, readFilter } from './deliveries-retry-cancel.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, optional, readId, readLimit } from './options.ts'
import { maskRow, print, printFields, printJson, printLine, printRows, printTable, toText } from './output.ts'

type ListOptions = FilterOptions & JsonOption & { limit: string; before?: string }
type EndpointsOptions = JsonOption & { partner?: string; host?: string; paused?: true; test?: true }
type EndpointOptions = ByOptions & { partner: string; host: string }

/** Deliveries and endpoints that are listed at most. */
const MAX_LISTED = 1000

/** `deliveries …`: deliveries to partners, and their endpoints. */
export const deliveriesCommand = (environment: Environment): Command => {
  const deliveries = new Command('deliveries').description(
    'show, list, retry and cancel deliveries to partners; pause, resume and probe their endpoints',
  )
  deliveries
    .command('show')
    .argument('<id>', '', readId('delivery'))
    .description('show one delivery with its attempts')
    .addHelpText('after', '\nExample:\n  gateway deliveries show 17')
    .action((id: bigint, options: JsonOption) => show(environment, id, options))
  addFilter(deliveries.command('list'))
    .description('list deliveries, newest first')
    .option('--limit <count>', `how many at most, 1 to ${MAX_LISTED}`, '20')
    .option('--before <id>', 'only deliveries with a smaller id: the next page')
    .addHelpText(
      'after',
      '\nExamples:\n  gateway deliveries list --state dead --since 7d\n  gateway deliveries list --partner 7 --error-class tls --json',
    )
    .action(async (options: ListOptions) => {
      const limit = readLimit(options.limit, MAX_LISTED)
      const before = optional(options.before, readId('value of --before'))
      const filter = readFilter(options)
      const found = await useDeliveries(environment, undefined, (service) =>
        listAll(service, { filter, limit, before }),
      )
      const rows = found.map((delivery) => toRow(DeliverySchema, delivery))
      const shown = options.json ? rows : rows.map(withHeldUntil)
      printRows(options, shown, { none: 'There are no such deliveries.', columns: COLUMNS.delivery })
    })
  addRetry(environment, deliveries)
  addCancel(environment, deliveries)
  deliveries
    .command('endpoints')
    .description('list endpoints that failed, are paused, or have held, dead or cancelled deliveries')
    .option('--partner <id>', 'only those of this partner')
    .option('--host <host>', 'only those with this host of callback URLs')
    .option('--paused', 'only those that are paused')
    .option('--test', 'those for test payments, instead of those for real ones')
    .addHelpText('after', '\nExample:\n  gateway deliveries endpoints --paused')
    .action(async (options: EndpointsOptions) => {
      const partnerId = optional(options.partner, readId('partner'))
      const { test = false, paused = false } = options
      const { host } = options
      const request = { partnerId, host, pausedOnly: paused, pageSize: MAX_LISTED, test }
      const found = await useDeliveries(environment, undefined, (service) => service.listEndpoints(request))
      const rows = found.endpoints.map((endpoint) => toRow(EndpointSchema, endpoint))
      printRows(options, options.json ? rows : rows.map(withOrMore), { none: 'There are no such endpoints.' })
    })
  addEndpoint(deliveries.command('pause'))
    .description('hold back everything for an endpoint until it is resumed; nothing is lost')
    .addHelpText('after', '\nExample:\n  gateway deliveries pause --partner 7 --host shop.co.ke')
    .action((options: EndpointOptions) => pause(environment, options))
  addEndpoint(deliveries.command('resume'))
    .description('let go of what was held back for an endpoint, a little a second and then more')
    .addHelpText('after', '\nExample:\n  gateway deliveries resume --partner 7 --host shop.co.ke')
    .action((options: EndpointOptions) => resume(environment, options))
  addEndpoint(deliveries.command('probe'))
    .description(
      'have an endpoint that is down asked now whether it is back, instead of when its time has passed',
    )
    .addHelpText('after', '\nExample:\n  gateway deliveries probe --partner 7 --host shop.co.ke')
    .action((options: EndpointOptions) => probe(environment, options))
  return deliveries
}

/** As many as were asked for, or all that fit: one call looks at so many deliveries only. */
const listAll = async (
  service: OperatorClient<typeof DeliveryService>,
  asked: Pick<MessageInitShape<typeof ListDeliveriesRequestSchema>, 'filter' | 'before'> & { limit: number },
): Promise<Delivery[]> => {
  const { filter, limit } = asked
  const found: Delivery[] = []
  for (let { before } = asked; ; ) {
    const page = await service.listDeliveries({ filter, pageSize: limit - found.length, before })
    found.push(...page.deliveries)
    if (page.nextBefore === undefined || found.length === limit) return found
    before = page.nextBefore
  }
}

const addEndpoint = (command: Command): Command =>
  command
    .requiredOption('--partner <id>', 'whose endpoint')
    .requiredOption('--host <host>', 'the host of its callback URLs, like shop.co.ke')
    .addOption(byOption())

const show = async (environment: Environment, deliveryId: bigint, options: JsonOption): Promise<void> => {
  const found = await useDeliveries(environment, undefined, (service) => service.getDelivery({ deliveryId }))
  const delivery = found.delivery === undefined ? {} : maskRow(toRow(DeliverySchema, found.delivery))
  const attempts = found.attempts.map((attempt) => maskRow(toRow(AttemptSchema, attempt)))
  const whole = { ...delivery, attempts }
  if (options.json) return printJson(whole)
  printFields(options, withHeldUntil(delivery))
  printLine('')
  printTable(attempts, 'It has not been attempted yet.')
}

const pause = async (environment: Environment, options: EndpointOptions): Promise<void> => {
  const endpoint = readEndpoint(options)
  const { partnerId, host } = endpoint
  const paused = await useDeliveries(environment, options.by, (service) => service.pauseEndpoint(endpoint))
  const { paused_at } = toRow(DeliveryService.method.pauseEndpoint.output, paused)
  print(
    options,
    { partner_id: partnerId, host, paused_at },
    `Endpoint ${host} of partner ${partnerId} is paused since ${toText(paused_at)}: its deliveries are held until it is resumed.`,
  )
}

const resume = async (environment: Environment, options: EndpointOptions): Promise<void> => {
  const endpoint = readEndpoint(options)
  const { partnerId, host } = endpoint
  const { held, heldOrMore } = await useDeliveries(environment, options.by, (service) =>
    service.resumeEndpoint(endpoint),
  )
  print(
    options,
    { partner_id: partnerId, host, held, ...(heldOrMore && { held_or_more: true }) },
    `Endpoint ${host} of partner ${partnerId} is resumed. ${held}${heldOrMore ? ' or more' : ''} held deliveries are let go, a little a second and then more.`,
  )
}

const probe = async (environment: Environment, options: EndpointOptions): Promise<void> => {
  const endpoint = readEndpoint(options)
  const { partnerId, host } = endpoint
  const probed = await useDeliveries(environment, options.by, (service) => service.probeEndpoint(endpoint))
  const { state, held } = toRow(DeliveryService.method.probeEndpoint.output, probed)
  const { heldOrMore } = probed
  print(
    options,
    { partner_id: partnerId, host, state, held, ...(heldOrMore && { held_or_more: true }) },
    `Endpoint ${host} of partner ${partnerId} ${PROBED[probed.state]} ${toText(held)}${heldOrMore ? ' or more' : ''} deliveries are held for it.`,
  )
}

const PROBED: Readonly<Record<EndpointState, string>> = {
  [EndpointState.UNSPECIFIED]: 'is in a state that this release does not know.',
  [EndpointState.OPEN]: 'is asked now by one of its deliveries whether it is back.',
  [EndpointState.HALF_OPEN]: 'is being asked already.',
  [EndpointState.RAMPING]: 'is back, and what was held for it is let go.',
  [EndpointState.CLOSED]: 'is not down.',
}

/** The host as it is kept and shown: in lower case. */
const readEndpoint = (options: EndpointOptions) => ({
  partnerId: readId('partner')(options.partner),
  host: options.host.toLowerCase(),
})
