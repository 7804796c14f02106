import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { parsePartnerName } from '../core/partners/partner.ts'
import { createServiceToken, isScope, SCOPES } from '../core/partners/service-token.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { CommandError, printJson, printLine } from './output.ts'

type CreateOptions = { name: string; scope: string[]; json?: true }

/** `tokens …`: secrets of internal services, for gRPC and Connect. */
export const tokensCommand = (environment: Environment): Command => {
  const tokens = new Command('tokens').description('create tokens for internal services')
  tokens
    .command('create')
    .description('create a service token, which is shown this once')
    .requiredOption('--name <name>', 'what the service is called')
    .addOption(
      new Option('--scope <scopes...>', 'what it lets its holder do').choices(SCOPES).makeOptionMandatory(),
    )
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway tokens create --name ledger --scope payments:read --json')
    .action((options: CreateOptions) => create(environment, options))
  return tokens
}

const create = async (environment: Environment, options: CreateOptions): Promise<void> => {
  const name = parsePartnerName(options.name)
  if (!name.ok) throw new CommandError(`--name ${name.problem}`)
  const scopes = options.scope.filter(isScope)
  const token = await useDatabase(environment, (database) =>
    createServiceToken({ database, name: name.value, scopes, randomBytes }),
  )
  if (options.json) return printJson({ name: name.value, scopes, token })
  printLine(`Token of ${name.value}, shown this once: ${token}`)
}
