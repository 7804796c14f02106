import { text as readText } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import { checkAccountAt } from '../core/daraja/check-account.ts'
import { type Account, AccountSchema, TransactionType } from '../gen/mpesa/gateway/v1/accounts_pb.js'
import { readConfig } from '../runtime/config.ts'
import { toRow } from '../runtime/message-row.ts'
import { useAccounts } from './call-service.ts'
import { withRunningDatabase } from './database.ts'
import { readDefaultAccount } from './default-account.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption, optional, readId } from './options.ts'
import { CommandError, print, printRows } from './output.ts'

type CreateOptions = ByOptions & {
  partner: string
  shortcode: string
  type: keyof typeof TYPES
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
  const { shortcode, till, pullMsisdn } = options
  if (options.pull && !options.uniqueReference) {
    throw new CommandError('--pull needs --unique-reference: pulled transactions are matched by it')
  }
  const request = {
    partnerId,
    shortcode,
    till,
    pullMsisdn,
    transactionType: TYPES[options.type],
    uniqueReference: options.uniqueReference === true,
    pull: options.pull === true,
    ...(await readAccountSecrets(environment)),
  }
  const { accountId } = await useAccounts(environment, options.by, (service) => service.setAccount(request))
  print(options, { account_id: accountId, partner_id: partnerId, shortcode }, [
    `New payments of partner ${partnerId} go through ${shortcode}, account ${accountId}.`,
    `Whether Daraja knows it: gateway accounts check --partner ${partnerId}`,
  ])
}

const TYPES = {
  CustomerPayBillOnline: TransactionType.PAYBILL,
  CustomerBuyGoodsOnline: TransactionType.TILL,
} as const

const list = async (environment: Environment, options: JsonOption & { partner?: string }): Promise<void> => {
  const partnerId = optional(options.partner, readId('partner'))
  const rows = (await findAll(environment, partnerId)).map((account) => toRow(AccountSchema, account))
  printRows(options, rows, {
    none: 'No partner has an account of its own: all go through the default one.',
  })
}

const findAll = (environment: Environment, partnerId: bigint | undefined): Promise<Account[]> =>
  useAccounts(environment, undefined, async (service) => {
    const all: Account[] = []
    let after: bigint | undefined
    do {
      const page = await service.listAccounts({ pageSize: 1000, after, partnerId })
      all.push(...page.accounts)
      after = page.nextAfter
    } while (after !== undefined)
    return all
  })

const end = async (environment: Environment, options: EndOptions): Promise<void> => {
  const partnerId = readId('partner')(options.partner)
  await useAccounts(environment, options.by, (service) => service.endAccount({ partnerId }))
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
  const { shortcode, own, problem } = await (partnerId === undefined
    ? checkDefault(environment)
    : useAccounts(environment, undefined, (service) => service.checkAccount({ partnerId })))
  if (problem !== undefined) process.exitCode = 1
  const which = own ? 'own' : 'default'
  print(
    options,
    { ok: problem === undefined, account: which, shortcode, problem: problem ?? null },
    problem === undefined
      ? `Daraja lets the ${which} account ${shortcode} in.`
      : `The ${which} account ${shortcode} gets no token: ${problem}.`,
  )
}

/** The default account, whose check needs no database. */
const checkDefault = async (environment: Environment) => {
  const found = await withRunningDatabase(environment)
  const account = readDefaultAccount(found)
  const config = readConfig(found, ['DARAJA_BASE_URL', 'DARAJA_TIMEOUT_MS'])
  const check = checkAccountAt({ baseUrl: config.DARAJA_BASE_URL, timeoutMs: config.DARAJA_TIMEOUT_MS })
  const { problem } = await check(account)
  return { shortcode: account.shortcode, own: false, problem: problem ?? undefined }
}
