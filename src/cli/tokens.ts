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
import { type ByOptions, byOption, type JsonOption, readId, required, toOperator } from './options.ts'
import { CommandError, print, printOnce, printRows } from './output.ts'

type CreateOptions = ByOptions & { name: string; scope: string[] }

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
    .addHelpText('after', '\nExample:\n  gateway tokens create --name ledger --scope payments:read --json')
    .action(async (options: CreateOptions) => {
      const name = required('--name', parsePartnerName(options.name))
      const scopes = options.scope.filter(isScope)
      const actor = toOperator(options.by)
      const token = await useDatabase(environment, (database) =>
        createServiceToken({ database, name, scopes, actor, randomBytes }),
      )
      await printOnce(options, {
        value: { name, scopes, token },
        lines: [`Token of ${name}, shown this once: ${token}`],
        lost: `the token of ${name} was created, but not shown: find it with gateway tokens list, end it with gateway tokens revoke ID, and create another`,
      })
    })
  tokens
    .command('list')
    .description('list the tokens, oldest first; never the tokens themselves')
    .action(async (options: JsonOption) => {
      const rows = (await useDatabase(environment, listServiceTokens)).map((token) => ({
        token_id: token.tokenId,
        name: token.name,
        token: `${token.displayPrefix}…`,
        scopes: token.scopes,
        created_at: token.createdAt,
        revoked_at: token.revokedAt,
      }))
      const none = 'There are no tokens yet: gateway tokens create --name NAME --scope SCOPE'
      printRows(options, rows, { none })
    })
  tokens
    .command('revoke')
    .argument('<token>', 'the token’s id', readId('token'))
    .description('end a token for good')
    .addOption(byOption())
    .action(async (tokenId: bigint, options: ByOptions) => {
      const actor = toOperator(options.by)
      const isDone = await useDatabase(environment, (database) =>
        revokeServiceToken({ database, tokenId, actor }),
      )
      if (!isDone) throw new CommandError(`there is no token ${tokenId}, or it was revoked already`)
      const value = { token_id: tokenId, revoked: true }
      print(options, value, `Token ${tokenId} is revoked, everywhere within five seconds.`)
    })
  return tokens
}
