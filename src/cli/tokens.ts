import { Command } from 'commander'
import { type Token, TokenSchema } from '../gen/mpesa/gateway/v1/tokens_pb.js'
import { toRow } from '../runtime/message-row.ts'
import { SCOPES } from '../values/scope.ts'
import { useTokens } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, readId } from './options.ts'
import { print, printOnce, printRows } from './output.ts'

type CreateOptions = ByOptions & { name: string; scope: string[] }

/** `tokens …`: secrets of internal services, for gRPC and Connect. */
export const tokensCommand = (environment: Environment): Command => {
  const tokens = new Command('tokens').description('create, list and revoke tokens of internal services')
  tokens
    .command('create')
    .description('create a service token, which is shown this once')
    .requiredOption('--name <name>', 'what the service is called')
    .requiredOption(
      '--scope <scopes...>',
      `what it lets its holder do, also as one list with commas: ${SCOPES.join(', ')}`,
    )
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway tokens create --name ledger --scope payments:read --json')
    .action(async (options: CreateOptions) => {
      const { name } = options
      const scopes = options.scope.flatMap((listed) => listed.split(',')).map((scope) => scope.trim())
      const { token } = await useTokens(environment, options.by, (service) =>
        service.createToken({ name, scopes }),
      )
      await printOnce(options, {
        value: { name, scopes: [...new Set(scopes)], token },
        lines: [`Token of ${name}, shown this once: ${token}`],
        lost: `the token of ${name} was created, but not shown: find it with gateway tokens list, end it with gateway tokens revoke ID, and create another`,
      })
    })
  tokens
    .command('list')
    .description('list the tokens, oldest first; never the tokens themselves')
    .action(async (options: JsonOption) => {
      const rows = (await findAll(environment)).map((token) => toRow(TokenSchema, token))
      const none = 'There are no tokens yet: gateway tokens create --name NAME --scope SCOPE'
      printRows(options, rows, { none })
    })
  tokens
    .command('revoke')
    .argument('<token>', 'the token’s id', readId('token'))
    .description('end a token for good')
    .addOption(byOption())
    .action(async (tokenId: bigint, options: ByOptions) => {
      await useTokens(environment, options.by, (service) => service.revokeToken({ tokenId }))
      const value = { token_id: tokenId, revoked: true }
      print(options, value, `Token ${tokenId} is revoked, everywhere within five seconds.`)
    })
  return tokens
}

const findAll = (environment: Environment): Promise<Token[]> =>
  useTokens(environment, undefined, async (service) => {
    const all: Token[] = []
    let after: bigint | undefined
    do {
      const page = await service.listTokens({ pageSize: 1000, after })
      all.push(...page.tokens)
      after = page.nextAfter
    } while (after !== undefined)
    return all
  })
