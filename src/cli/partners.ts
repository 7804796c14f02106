import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { createPartner, listPartners, parsePartnerName } from '../core/partners/partner.ts'
import { openVault, useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'
import { signingSecretCommand } from './signing-secret.ts'

/** `partners …`: who may ask for payments. */
export const partnersCommand = (environment: Environment): Command => {
  const partners = new Command('partners').description('create and list partners')
  partners
    .command('create')
    .description('create a partner, its first API key and its signing secret, which are shown this once')
    .requiredOption('--name <name>', 'what people call the partner')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway partners create --name "Duka la Wanjiku" --json')
    .action((options: { name: string; json?: true }) => create(environment, options))
  partners
    .command('list')
    .description('list the partners, oldest first')
    .option('--json', 'print one line of JSON')
    .action((options: { json?: true }) => list(environment, options))
  partners.addCommand(signingSecretCommand(environment))
  return partners
}

const create = async (environment: Environment, options: { name: string; json?: true }): Promise<void> => {
  const name = parsePartnerName(options.name)
  if (!name.ok) throw new CommandError(`--name ${name.problem}`)
  const vault = await openVault(environment)
  const { partnerId, apiKey, signingSecret } = await useDatabase(environment, (database) =>
    createPartner({ database, name: name.value, vault, randomBytes }),
  )
  if (options.json)
    return printJson({ partner_id: partnerId, api_key: apiKey, signing_secret: signingSecret })
  printLine(`Partner ${partnerId} created. Shown this once:`)
  printLine(`  its API key         ${apiKey}`)
  printLine(`  its signing secret  ${signingSecret}`)
}

const list = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const partners = await useDatabase(environment, listPartners)
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
