import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import {
  createPartner,
  findPartner,
  listPartners,
  type Partner,
  parsePartnerName,
} from '../core/partners/partner.ts'
import type { Database } from '../database/connect.ts'
import { openVault, useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine, printOnce, printTable, toText } from './output.ts'
import { disablingCommand, setPartnerCommand } from './partner-changes.ts'
import { keysCommand } from './partner-keys.ts'
import { readId } from './read-id.ts'
import { signingSecretCommand } from './signing-secret.ts'
import { testCallbackCommand } from './test-callback.ts'

type CreateOptions = { name: string; by?: string; json?: true }

/** `partners …`: who may ask for payments. */
export const partnersCommand = (environment: Environment): Command => {
  const partners = new Command('partners').description('who may ask for payments, and within which bounds')
  partners
    .command('create')
    .description('create a partner, its first API key and its signing secret, which are shown this once')
    .requiredOption('--name <name>', 'what people call the partner')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway partners create --name "Duka la Wanjiku" --json')
    .action((options: CreateOptions) => create(environment, options))
  partners
    .command('list')
    .description('list the partners, oldest first')
    .option('--json', 'print one line of JSON')
    .action((options: { json?: true }) => list(environment, options))
  partners
    .command('show')
    .argument('<partner>', 'the partner’s id')
    .description('show a partner with all that is set for it')
    .option('--json', 'print one line of JSON')
    .action((partner: string, options: { json?: true }) => show(environment, partner, options))
  partners.addCommand(disablingCommand(environment, 'disable'))
  partners.addCommand(disablingCommand(environment, 'enable'))
  partners.addCommand(setPartnerCommand(environment))
  partners.addCommand(keysCommand(environment))
  partners.addCommand(signingSecretCommand(environment))
  partners.addCommand(testCallbackCommand(environment))
  return partners
}

const create = async (environment: Environment, options: CreateOptions): Promise<void> => {
  const name = parsePartnerName(options.name)
  if (!name.ok) throw new CommandError(`--name ${name.problem}`)
  const actor = toOperator(options.by)
  const vault = await openVault(environment)
  const { partnerId, apiKey, signingSecret } = await useDatabase(environment, (database) =>
    createPartner({ database, name: name.value, vault, actor, randomBytes }),
  )
  const lines = [
    `Partner ${partnerId} created. Shown this once:`,
    `  its API key         ${apiKey}`,
    `  its signing secret  ${signingSecret}`,
  ]
  const value = { partner_id: partnerId, api_key: apiKey, signing_secret: signingSecret }
  const instead = `gateway partners keys create ${partnerId} --name NAME and gateway partners signing-secret rotate ${partnerId}`
  await printOnce(
    options.json ? { json: true, value } : { json: false, lines },
    `partner ${partnerId} was created, but its key and its signing secret were not shown: give it others with ${instead}`,
  )
}

const list = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const partners = await useDatabase(environment, everyPartner)
  const rows = partners.map((partner) => ({
    partner_id: partner.id,
    name: partner.name,
    created_at: partner.createdAt,
    disabled_at: partner.disabledAt,
    keys: partner.keyPrefixes,
  }))
  if (options.json) return printJson(rows)
  printTable(rows, 'There are no partners yet: gateway partners create --name NAME')
}

const PAGE = 1000

const everyPartner = async (database: Database): Promise<Partner[]> => {
  const partners: Partner[] = []
  for (;;) {
    const page = await listPartners({ database, limit: PAGE, after: partners.at(-1)?.id ?? null })
    partners.push(...page)
    if (page.length < PAGE) return partners
  }
}

const show = async (environment: Environment, text: string, options: { json?: true }): Promise<void> => {
  const partnerId = readId('partner', text)
  const partner = await useDatabase(environment, (database) => findPartner(database, partnerId))
  if (partner === null) throw new CommandError(`there is no partner ${partnerId}`)
  const fields = {
    partner_id: partner.id,
    name: partner.name,
    created_at: partner.createdAt,
    disabled_at: partner.disabledAt,
    callback_hosts: partner.settings.callbackHosts,
    requests_per_second: partner.settings.requestsPerSecond,
    max_payment_kes: partner.settings.maxPaymentKes,
    max_daily_kes: partner.settings.maxDailyKes,
    keys: partner.keyPrefixes,
  }
  if (options.json) return printJson(fields)
  for (const [name, value] of Object.entries(fields)) printLine(`${name.padEnd(21)}${toText(value)}`)
}
