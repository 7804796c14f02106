import { Command } from 'commander'
import { type Partner, PartnerSchema, PartnerService } from '../gen/mpesa/gateway/v1/partners_pb.js'
import { COLUMNS, type Row, toRow } from '../runtime/message-row.ts'
import { usePartners } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, readId } from './options.ts'
import { CommandError, print, printFields, printOnce, printRows } from './output.ts'
import { keysCommand, signingSecretCommand } from './partner-keys.ts'
import { testCallbackCommand } from './test-callback.ts'

const ID = ['<partner>', 'the partner’s id', readId('partner')] as const

/** `partners …`: who may ask for payments. */
export const partnersCommand = (environment: Environment): Command => {
  const partners = new Command('partners').description('who may ask for payments, and within which bounds')
  partners
    .command('create')
    .description('create a partner, its first API key and its signing secret, which are shown this once')
    .requiredOption('--name <name>', 'what people call the partner')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway partners create --name "Duka la Wanjiku" --json')
    .action((options: CreateOptions) => create(environment, options))
  partners
    .command('list')
    .description('list the partners, oldest first')
    .action(async (options: JsonOption) => {
      const rows = (await findAll(environment)).map((partner): Row => {
        const row = toRow(PartnerSchema, partner)
        return Object.fromEntries(COLUMNS.partner.map((name) => [name, row[name]]))
      })
      printRows(options, rows, { none: 'There are no partners yet: gateway partners create --name NAME' })
    })
  partners
    .command('show')
    .argument(ID[0], ID[1], ID[2])
    .description('show a partner with all that is set for it')
    .action(async (partnerId: bigint, options: JsonOption) => {
      const { partner } = await usePartners(environment, undefined, (service) =>
        service.getPartner({ partnerId }),
      )
      printFields(options, partner ? toRow(PartnerSchema, partner) : {})
    })
  addDisabling(environment, partners, 'disable').description(
    'refuse a partner’s requests and prompt nobody for it; outcomes of earlier payments are still delivered',
  )
  addDisabling(environment, partners, 'enable').description('accept requests of a disabled partner again')
  addSet(environment, partners)
  partners.addCommand(keysCommand(environment))
  partners.addCommand(signingSecretCommand(environment))
  partners.addCommand(testCallbackCommand(environment))
  return partners
}

type CreateOptions = ByOptions & { name: string }

const create = async (environment: Environment, options: CreateOptions): Promise<void> => {
  const { name } = options
  const created = await usePartners(environment, options.by, (service) => service.createPartner({ name }))
  const { partnerId, apiKey, signingSecret } = created
  await printOnce(options, {
    value: toRow(PartnerService.method.createPartner.output, created),
    lines: [
      `Partner ${partnerId} created. Shown this once:`,
      `  its API key         ${apiKey}`,
      `  its signing secret  ${signingSecret}`,
    ],
    lost: `partner ${partnerId} was created, but its key and its signing secret were not shown: give it others with gateway partners keys create ${partnerId} --name NAME and gateway partners signing-secret rotate ${partnerId}`,
  })
}

const findAll = (environment: Environment): Promise<Partner[]> =>
  usePartners(environment, undefined, async (service) => {
    const all: Partner[] = []
    let after: bigint | undefined
    do {
      const page = await service.listPartners({ pageSize: 1000, after })
      all.push(...page.partners)
      after = page.nextAfter
    } while (after !== undefined)
    return all
  })

const addDisabling = (environment: Environment, partners: Command, verb: 'disable' | 'enable'): Command =>
  partners
    .command(verb)
    .argument(ID[0], ID[1], ID[2])
    .addOption(byOption())
    .action(async (partnerId: bigint, options: ByOptions) => {
      await usePartners(environment, options.by, async (service) => {
        if (verb === 'disable') await service.disablePartner({ partnerId })
        else await service.enablePartner({ partnerId })
      })
      const value = { partner_id: partnerId, disabled: verb === 'disable' }
      print(options, value, `Partner ${partnerId} is ${verb}d, everywhere within five seconds.`)
    })

type SetOptions = ByOptions & {
  callbackHost?: string[]
  rate?: string
  maxPayment?: string
  maxDaily?: string
}

const addSet = (environment: Environment, partners: Command): Command =>
  partners
    .command('set')
    .argument(ID[0], ID[1], ID[2])
    .description('set what bounds a partner; `none` takes a bound away, what is not named stays')
    .option(
      '--callback-host <hosts...>',
      'where its outcomes may be delivered: hosts, *.shop.co.ke for all below, or none',
    )
    .option('--rate <requests>', 'requests a second, to all replicas together, or none')
    .option('--max-payment <kes>', 'the largest payment it may ask for, KES, or none')
    .option('--max-daily <kes>', 'what it may ask for in a day of Nairobi, KES, or none')
    .addOption(byOption())
    .addHelpText(
      'after',
      '\nExample:\n  gateway partners set 17 --callback-host shop.co.ke --max-payment 5000',
    )
    .action(async (partnerId: bigint, options: SetOptions) => {
      const request = { partnerId, settings: readSettings(options), updateMask: { paths: pathsOf(options) } }
      await usePartners(environment, options.by, (service) => service.setPartnerSettings(request))
      print(
        options,
        { partner_id: partnerId },
        `Partner ${partnerId} is set, everywhere within five seconds.`,
      )
    })

/** The settings that the options name. */
const pathsOf = (options: SetOptions): string[] => {
  const given = {
    callback_hosts: options.callbackHost,
    requests_per_second: options.rate,
    max_payment_kes: options.maxPayment,
    max_daily_kes: options.maxDaily,
  }
  const paths = Object.entries(given).flatMap(([path, value]) => (value === undefined ? [] : [path]))
  if (paths.length === 0) throw new CommandError('nothing is to be set: name a bound')
  return paths
}

/** The settings as the options have them; unset where one is `none`. */
const readSettings = (options: SetOptions) => {
  const maxDailyKes = readBound(options.maxDaily)
  return {
    callbackHosts: readHosts(options.callbackHost ?? []),
    requestsPerSecond: readBound(options.rate),
    maxPaymentKes: readBound(options.maxPayment),
    maxDailyKes: maxDailyKes === undefined ? undefined : BigInt(maxDailyKes),
  }
}

const readHosts = (hosts: readonly string[]): string[] => {
  if (!hosts.includes('none')) return [...hosts]
  if (hosts.length > 1) throw new CommandError('--callback-host must be hosts, or none alone')
  return []
}

/** What is no number becomes 0, which is out of every bound's range: the refusal names the range. */
const readBound = (text: string | undefined): number | undefined => {
  if (text === undefined || text === 'none') return undefined
  return /^\d+$/.test(text) ? Number(text) : 0
}
