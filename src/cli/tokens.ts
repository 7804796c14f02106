import { randomBytes } from 'node:crypto'
import { Command, Option } from 'commander'
import { parsePartnerName } from '../core/partners/partner.ts'
import {
  createServiceToken,
  isScope,
  listServiceTokens,
  revokeServiceToken,
  SCOPES,
} from '../core/partners/service-token.ts'
import { useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine, printOnce, printTable } from './output.ts'
import { readId } from './read-id.ts'

type CreateOptions = { name: string; scope: string[]; by?: string; json?: true }

/** `tokens …`: secrets of internal services, for gRPC and Connect. */
export const tokensCommand = (environment: Environment): Command => {
  const tokens = new Command('tokens').description('create, list and revoke tokens of internal services')
  tokens
    .command('create')
    .description('create a service token, which is shown this once')
    .requiredOption('--name <name>', 'what the service is called')
    .addOption(
      new Option('--scope <scopes...>', 'what it lets its holder do').choices(SCOPES).makeOptionMandatory(),
    )
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample:\n  gateway tokens create --name ledger --scope payments:read --json')
    .action((options: CreateOptions) => create(environment, options))
  tokens
    .command('list')
    .description('list the tokens, oldest first; never the tokens themselves')
    .option('--json', 'print one line of JSON')
    .action((options: { json?: true }) => list(environment, options))
  tokens
    .command('revoke')
    .argument('<token>', 'the token’s id')
    .description('end a token for good')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .action((token: string, options: { by?: string; json?: true }) => revoke(environment, token, options))
  return tokens
}

const create = async (environment: Environment, options: CreateOptions): Promise<void> => {
  const name = parsePartnerName(options.name)
  if (!name.ok) throw new CommandError(`--name ${name.problem}`)
  const scopes = options.scope.filter(isScope)
  const actor = toOperator(options.by)
  const token = await useDatabase(environment, (database) =>
    createServiceToken({ database, name: name.value, scopes, actor, randomBytes }),
  )
  await printOnce(
    options.json
      ? { json: true, value: { name: name.value, scopes, token } }
      : { json: false, lines: [`Token of ${name.value}, shown this once: ${token}`] },
    `the token of ${name.value} was created, but not shown: find it with gateway tokens list, end it with gateway tokens revoke ID, and create another`,
  )
}

const list = async (environment: Environment, options: { json?: true }): Promise<void> => {
  const tokens = await useDatabase(environment, listServiceTokens)
  const rows = tokens.map((token) => ({
    token_id: token.tokenId,
    name: token.name,
    token: `${token.displayPrefix}…`,
    scopes: token.scopes,
    created_at: token.createdAt,
    revoked_at: token.revokedAt,
  }))
  if (options.json) return printJson(rows)
  printTable(rows, 'There are no tokens yet: gateway tokens create --name NAME --scope SCOPE')
}

const revoke = async (
  environment: Environment,
  token: string,
  options: { by?: string; json?: true },
): Promise<void> => {
  const tokenId = readId('token', token)
  const actor = toOperator(options.by)
  const isDone = await useDatabase(environment, (database) =>
    revokeServiceToken({ database, tokenId, actor }),
  )
  if (!isDone) throw new CommandError(`there is no token ${tokenId}, or it was revoked already`)
  if (options.json) return printJson({ token_id: tokenId, revoked: true })
  printLine(`Token ${tokenId} is revoked, everywhere within five seconds.`)
}
