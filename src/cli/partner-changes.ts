import { Command } from 'commander'
import type { PartnerSettings } from '../core/partners/calling-partner.ts'
import { setDisabled, setPartnerSettings } from '../core/partners/change-partner.ts'
import {
  parseCallbackHosts,
  parseMaxDailyKes,
  parseMaxPaymentKes,
  parseRequestsPerSecond,
} from '../core/partners/parse-settings.ts'
import type { Parsed } from '../values/parsed.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine } from './output.ts'
import { readId } from './read-id.ts'

type ByOptions = { by?: string; json?: true }

type SetOptions = ByOptions & {
  callbackHost?: string[]
  rate?: string
  maxPayment?: string
  maxDaily?: string
}

/** `partners disable`, `partners enable`. */
export const disablingCommand = (environment: Environment, verb: 'disable' | 'enable'): Command =>
  new Command(verb)
    .argument('<partner>', 'the partner’s id')
    .description(
      verb === 'disable'
        ? 'refuse a partner’s requests and prompt nobody for it; outcomes of earlier payments are still told'
        : 'let a disabled partner in again',
    )
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .action(async (partner: string, options: ByOptions) => {
      const partnerId = readId('partner', partner)
      const actor = toOperator(options.by)
      const isDisabled = verb === 'disable'
      const isDone = await useDatabase(environment, (database) =>
        setDisabled({ database, partnerId, isDisabled, actor }),
      )
      if (!isDone) throw new CommandError(`there is no partner ${partnerId}`)
      if (options.json) return printJson({ partner_id: partnerId, disabled: isDisabled })
      printLine(`Partner ${partnerId} is ${verb}d, everywhere within five seconds.`)
    })

/** `partners set`. */
export const setPartnerCommand = (environment: Environment): Command =>
  new Command('set')
    .argument('<partner>', 'the partner’s id')
    .description('set what bounds a partner; `none` takes a bound away, what is not named stays')
    .option(
      '--callback-host <hosts...>',
      'where its outcomes may be told: hosts, *.shop.co.ke for all below, or none',
    )
    .option('--rate <requests>', 'requests a second, to all replicas together, or none')
    .option('--max-payment <kes>', 'the largest payment it may ask for, KES, or none')
    .option('--max-daily <kes>', 'what it may ask for in a day of Nairobi, KES, or none')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExample:\n  gateway partners set 17 --callback-host shop.co.ke --max-payment 5000',
    )
    .action(async (partner: string, options: SetOptions) => {
      const partnerId = readId('partner', partner)
      const settings = readSettings(options)
      const actor = toOperator(options.by)
      const isDone = await useDatabase(environment, (database) =>
        setPartnerSettings({ database, partnerId, settings, actor }),
      )
      if (!isDone) throw new CommandError(`there is no partner ${partnerId}`)
      if (options.json) return printJson({ partner_id: partnerId })
      printLine(`Partner ${partnerId} is set, everywhere within five seconds.`)
    })

const readSettings = (options: SetOptions): Partial<PartnerSettings> => {
  const { callbackHost, rate, maxPayment, maxDaily } = options
  const settings = {
    ...(callbackHost !== undefined && { callbackHosts: readHosts(callbackHost) }),
    ...(rate !== undefined && { requestsPerSecond: readNumber('--rate', rate, parseRequestsPerSecond) }),
    ...(maxPayment !== undefined && {
      maxPaymentKes: readNumber('--max-payment', maxPayment, parseMaxPaymentKes),
    }),
    ...(maxDaily !== undefined && { maxDailyKes: readNumber('--max-daily', maxDaily, parseMaxDailyKes) }),
  }
  if (Object.keys(settings).length === 0) throw new CommandError('nothing is to be set: name a bound')
  return settings
}

const readHosts = (hosts: readonly string[]): string[] | null => {
  if (!hosts.includes('none')) return take('--callback-host', parseCallbackHosts(hosts))
  if (hosts.length > 1) throw new CommandError('--callback-host must be hosts, or none alone')
  return null
}

const readNumber = (name: string, text: string, parse: (number: number) => Parsed<number>): number | null =>
  text === 'none' ? null : take(name, parse(/^\d+$/.test(text) ? Number(text) : Number.NaN))

const take = <Value>(name: string, parsed: Parsed<Value>): Value => {
  if (!parsed.ok) throw new CommandError(`${name} ${parsed.problem}, or none`)
  return parsed.value
}
