import { Command } from 'commander'
import type { DarajaAccount } from '../core/daraja/account.ts'
import { checkAccount } from '../core/daraja/check-account.ts'
import { createDarajaClient } from '../core/daraja/client.ts'
import { openSecrets } from '../core/partners/open-accounts.ts'
import { findCurrentAccount } from '../core/partners/partner-account.ts'
import { readConfig } from '../runtime/config.ts'
import { CannotOpen } from '../runtime/seal.ts'
import { useDatabase, withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type JsonOption, optional, readId } from './options.ts'
import { CommandError, print } from './output.ts'

type CheckOptions = JsonOption & { partner?: string }

/** `accounts check`: whether Daraja lets an account in, and if not, what is wrong. */
export const checkCommand = (environment: Environment): Command =>
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
  const problem = await askDaraja({ account, baseUrl, timeoutMs })
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

/** What is wrong with the account; null: Daraja lets it in. */
const askDaraja = async (options: {
  account: DarajaAccount
  baseUrl: string
  timeoutMs: number
}): Promise<string | null> => {
  const { account, baseUrl, timeoutMs } = options
  const client = createDarajaClient({ baseUrl, timeoutMs, connections: 1 })
  try {
    const { problem } = await checkAccount({ account, baseUrl, send: client.send })
    return problem
  } finally {
    await client.close()
  }
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
