import { Command, Option } from 'commander'
import type { DarajaAccount } from '../core/daraja/account.ts'
import { endAccount, listAccounts, setAccount } from '../core/partners/partner-account.ts'
import { readConfig } from '../runtime/config.ts'
import { checkCommand } from './check-account.ts'
import { openVault, useDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { byOption, toOperator } from './operator.ts'
import { CommandError, printJson, printLine, printTable } from './output.ts'
import { readAccountSecrets } from './read-account-secrets.ts'
import { readId } from './read-id.ts'

type CreateOptions = {
  partner: string
  shortcode: string
  type: DarajaAccount['transactionType']
  till?: string
  uniqueReference?: true
  pull?: true
  pullMsisdn?: string
  by?: string
  json?: true
}

/** `accounts …`: partners' own accounts at Daraja. */
export const accountsCommand = (environment: Environment): Command => {
  const accounts = new Command('accounts').description('partners’ own accounts at Daraja')
  accounts.addCommand(createCommand(environment))
  accounts
    .command('list')
    .description('list the accounts, oldest first, without their secrets')
    .option('--partner <id>', 'only those of one partner')
    .option('--json', 'print one line of JSON')
    .action((options: { partner?: string; json?: true }) => list(environment, options))
  accounts
    .command('end')
    .requiredOption('--partner <id>', 'whose')
    .description('let new payments of a partner go through the default account again')
    .addOption(byOption())
    .action((options: { partner: string; by?: string }) => end(environment, options))
  accounts.addCommand(checkCommand(environment))
  return accounts
}

const createCommand = (environment: Environment): Command =>
  new Command('create')
    .description(
      'let new payments of a partner go through an account of its own; the same again changes its secrets',
    )
    .requiredOption('--partner <id>', 'whose')
    .requiredOption('--shortcode <digits>', 'the paybill; for a till the head-office number')
    .addOption(
      new Option('--type <type>', 'what it is')
        .choices(['CustomerPayBillOnline', 'CustomerBuyGoodsOnline'])
        .default('CustomerPayBillOnline'),
    )
    .option('--till <digits>', 'the till number; the shortcode when not given')
    .option(
      '--unique-reference',
      'the payer sees a short code of the payment, instead of the partner’s reference',
    )
    .option('--pull', 'it has Pull Transactions; needs --unique-reference')
    .option('--pull-msisdn <msisdn>', 'the number that was nominated for Pull Transactions')
    .addOption(byOption())
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      `
The secrets are read from ACCOUNT_CONSUMER_KEY, ACCOUNT_CONSUMER_SECRET and ACCOUNT_PASSKEY, else from standard input,
a line each in this order: where everybody sees what is typed, as in a list of processes, they are never given.

Example:
  gateway accounts create --partner 17 --shortcode 600111 < account-of-17`,
    )
    .action((options: CreateOptions) => create(environment, options))

const create = async (environment: Environment, options: CreateOptions): Promise<void> => {
  const partnerId = readId('partner', options.partner)
  const shortcode = readSetting('--shortcode', 'DARAJA_SHORTCODE', options.shortcode)
  const partyB =
    options.till === undefined ? shortcode : readSetting('--till', 'DARAJA_PARTY_B', options.till)
  const features = { uniqueReference: options.uniqueReference === true, pull: readPull(options) }
  const actor = toOperator(options.by)
  const vault = await openVault(environment)
  const secrets = await readAccountSecrets(environment)
  const account = { ...secrets, shortcode, partyB, transactionType: options.type }
  const accountId = await useDatabase(environment, (database) =>
    setAccount({ database, vault, partnerId, account, features, actor }),
  )
  if (accountId === null) throw new CommandError(`there is no partner ${partnerId}`)
  if (options.json) return printJson({ account_id: accountId, partner_id: partnerId, shortcode })
  printLine(`New payments of partner ${partnerId} go through ${shortcode}, account ${accountId}.`)
  printLine(`Whether Daraja knows it: gateway accounts check --partner ${partnerId}`)
}

const readPull = (options: CreateOptions): { msisdn: string | null } | null => {
  if (options.pullMsisdn !== undefined && !options.pull) throw new CommandError('--pull-msisdn needs --pull')
  if (!options.pull) return null
  if (!options.uniqueReference)
    throw new CommandError('--pull needs --unique-reference: what is pulled is told apart by it')
  const msisdn = options.pullMsisdn
  return { msisdn: msisdn === undefined ? null : readSetting('--pull-msisdn', 'DARAJA_PULL_MSISDN', msisdn) }
}

/** Reads an option as the setting of the default account is read. */
const readSetting = (
  option: string,
  name: 'DARAJA_SHORTCODE' | 'DARAJA_PARTY_B' | 'DARAJA_PULL_MSISDN',
  text: string,
): string => {
  try {
    return readConfig({ [name]: text }, [name])[name] ?? ''
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message.replace(name, option) : String(error))
  }
}

const list = async (environment: Environment, options: { partner?: string; json?: true }): Promise<void> => {
  const partnerId = options.partner === undefined ? null : readId('partner', options.partner)
  const rows = await useDatabase(environment, (database) => listAccounts(database, partnerId))
  if (options.json) return printJson(rows)
  printTable(rows, 'No partner has an account of its own: all go through the default one.')
}

const end = async (environment: Environment, options: { partner: string; by?: string }): Promise<void> => {
  const partnerId = readId('partner', options.partner)
  const actor = toOperator(options.by)
  const hasEnded = await useDatabase(environment, (database) => endAccount({ database, partnerId, actor }))
  if (!hasEnded) throw new CommandError(`partner ${partnerId} has no account of its own`)
  printLine(
    `New payments of partner ${partnerId} go through the default account. Those under way end where they began.`,
  )
}
