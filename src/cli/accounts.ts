import { text as readText } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import type { DarajaAccount } from '../core/daraja/account.ts'
import { checkAccount } from '../core/daraja/check-account.ts'
import { createDarajaClient } from '../core/daraja/client.ts'
import { openSecrets } from '../core/partners/open-accounts.ts'
import { endAccount, findCurrentAccount, listAccounts, setAccount } from '../core/partners/partner-account.ts'
import { readConfig } from '../runtime/config.ts'
import { CannotOpen } from '../runtime/seal.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, optional, readId, toOperator } from './options.ts'
import { CommandError, print, printRows } from './output.ts'

type CreateOptions = ByOptions & {
  partner: string
  shortcode: string
  type: DarajaAccount['transactionType']
  till?: string
  uniqueReference?: true
  pull?: true
  pullMsisdn?: string
}

type EndOptions = ByOptions & { partner: string }
type CheckOptions = JsonOption & { partner?: string }

/** `accounts …`: partners' own accounts at Daraja. */
export const accountsCommand = (environment: Environment): Command => {
  const accounts = new Command('accounts').description('partners’ own accounts at Daraja')
  addCreate(environment, accounts)
  accounts
    .command('list')
    .description('list the accounts, oldest first, without their secrets')
    .option('--partner <id>', 'only those of one partner')
    .action((options: JsonOption & { partner?: string }) => list(environment, options))
  accounts
    .command('end')
    .requiredOption('--partner <id>', 'whose')
    .description('let new payments of a partner go through the default account again')
    .addOption(byOption())
    .action((options: EndOptions) => end(environment, options))
  accounts.addCommand(checkCommand(environment))
  return accounts
}

const addCreate = (environment: Environment, accounts: Command): Command =>
  accounts
    .command('create')
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
  const partnerId = readId('partner')(options.partner)
  const shortcode = readSetting('--shortcode', 'DARAJA_SHORTCODE', options.shortcode)
  const partyB = optional(options.till, (till) => readSetting('--till', 'DARAJA_PARTY_B', till)) ?? shortcode
  const features = { uniqueReference: options.uniqueReference === true, pull: readPull(options) }
  const actor = toOperator(options.by)
  const secrets = await readAccountSecrets(environment)
  const account = { ...secrets, shortcode, partyB, transactionType: options.type }
  const accountId = await useDatabase(environment, (database, openVault) =>
    setAccount({ database, vault: openVault(), partnerId, account, features, actor }),
  )
  if (accountId === null) throw new CommandError(`there is no partner ${partnerId}`)
  print(options, { account_id: accountId, partner_id: partnerId, shortcode }, [
    `New payments of partner ${partnerId} go through ${shortcode}, account ${accountId}.`,
    `Whether Daraja knows it: gateway accounts check --partner ${partnerId}`,
  ])
}

const readPull = (options: CreateOptions): { msisdn: string | null } | null => {
  if (options.pullMsisdn !== undefined && !options.pull) throw new CommandError('--pull-msisdn needs --pull')
  if (!options.pull) return null
  if (!options.uniqueReference)
    throw new CommandError('--pull needs --unique-reference: pulled transactions are matched by it')
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

const list = async (environment: Environment, options: JsonOption & { partner?: string }): Promise<void> => {
  const partnerId = optional(options.partner, readId('partner')) ?? null
  const rows = await useDatabase(environment, (database) => listAccounts(database, partnerId))
  printRows(options, rows, {
    none: 'No partner has an account of its own: all go through the default one.',
  })
}

const end = async (environment: Environment, options: EndOptions): Promise<void> => {
  const partnerId = readId('partner')(options.partner)
  const actor = toOperator(options.by)
  const hasEnded = await useDatabase(environment, (database) => endAccount({ database, partnerId, actor }))
  if (!hasEnded) throw new CommandError(`partner ${partnerId} has no account of its own`)
  print(
    options,
    { partner_id: partnerId, ended: true },
    `New payments of partner ${partnerId} go through the default account. Those under way end where they began.`,
  )
}

type AccountSecrets = { consumerKey: string; consumerSecret: string; passkey: string }

const HOW =
  'set ACCOUNT_CONSUMER_KEY, ACCOUNT_CONSUMER_SECRET and ACCOUNT_PASSKEY, or give the three on standard input, a line each in this order'

/** The secrets of an account: from the environment, where all three are there, else from standard input. */
const readAccountSecrets = async (environment: Environment): Promise<AccountSecrets> => {
  const given = [
    environment['ACCOUNT_CONSUMER_KEY'],
    environment['ACCOUNT_CONSUMER_SECRET'],
    environment['ACCOUNT_PASSKEY'],
  ].map((value) => value ?? '')
  const count = given.filter((value) => value !== '').length
  if (count === 3) return toSecrets(given)
  if (count > 0) throw new CommandError(`a secret of the account is missing: ${HOW}`)
  if (process.stdin.isTTY)
    process.stderr.write('Consumer key, consumer secret and passkey, a line each, then Ctrl-D:\n')
  return toSecrets((await readText(process.stdin)).split(/\r?\n/).filter((line) => line !== ''))
}

/** Daraja's own are printable and without blanks: what is not was copied wrongly. */
const toSecrets = (values: readonly string[]): AccountSecrets => {
  const [consumerKey = '', consumerSecret = '', passkey = '', ...more] = values
  const isRight = [consumerKey, consumerSecret, passkey].every((value) => /^[!-~]{1,500}$/.test(value))
  if (!isRight || more.length > 0) {
    throw new CommandError(`the secrets of the account must be three, printable and without blanks: ${HOW}`)
  }
  return { consumerKey, consumerSecret, passkey }
}

/** `accounts check`: whether Daraja lets an account in, and if not, what is wrong. */
const checkCommand = (environment: Environment): Command =>
  new Command('check')
    .description('ask Daraja for an access token as an account, and say in words what is wrong')
    .option('--partner <id>', 'the account that new payments of a partner go through; else the default one')
    .addHelpText(
      'after',
      '\nIt proves the way to Daraja, the consumer key and the consumer secret. Shortcode and passkey are proven by a payment.',
    )
    .action((options: CheckOptions) => check(environment, options))

const check = async (environment: Environment, options: CheckOptions): Promise<void> => {
  const partnerId = optional(options.partner, readId('partner'))
  const own = partnerId === undefined ? null : await findOwn(environment, partnerId)
  const account = own ?? readDefault(environment)
  const { DARAJA_BASE_URL: baseUrl, DARAJA_TIMEOUT_MS: timeoutMs } = readConfig(
    await withRunningDatabase(environment),
    ['DARAJA_BASE_URL', 'DARAJA_TIMEOUT_MS'],
  )
  const client = createDarajaClient({ baseUrl, timeoutMs, connections: 1 })
  const { problem } = await checkAccount({ client, account, baseUrl })
  if (problem !== null) process.exitCode = 1
  const { shortcode } = account
  const which = own === null ? 'default' : 'own'
  print(
    options,
    { ok: problem === null, account: which, shortcode, problem },
    problem === null
      ? `Daraja lets the ${which} account ${shortcode} in.`
      : `The ${which} account ${shortcode} gets no token: ${problem}.`,
  )
}

/** The partner's own account, opened; null when it has none. */
const findOwn = (environment: Environment, partnerId: bigint): Promise<DarajaAccount | null> =>
  useDatabase(environment, async (database, openVault) => {
    const vault = openVault()
    const row = await findCurrentAccount(database, partnerId)
    if (!row) return null
    try {
      return openSecrets(vault, row)
    } catch (error) {
      if (error instanceof CannotOpen)
        throw new CommandError(`the secrets cannot be opened: ${error.message}`)
      throw error
    }
  })

const readDefault = (environment: Environment): DarajaAccount => {
  const config = readConfig(environment, [
    'DARAJA_CONSUMER_KEY',
    'DARAJA_CONSUMER_SECRET',
    'DARAJA_SHORTCODE',
    'DARAJA_PASSKEY',
    'DARAJA_TRANSACTION_TYPE',
    'DARAJA_PARTY_B',
  ])
  return {
    consumerKey: config.DARAJA_CONSUMER_KEY,
    consumerSecret: config.DARAJA_CONSUMER_SECRET,
    shortcode: config.DARAJA_SHORTCODE,
    passkey: config.DARAJA_PASSKEY,
    transactionType: config.DARAJA_TRANSACTION_TYPE,
    partyB: config.DARAJA_PARTY_B ?? config.DARAJA_SHORTCODE,
  }
}
