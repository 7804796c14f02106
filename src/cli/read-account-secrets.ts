import { text as readText } from 'node:stream/consumers'
import type { Environment } from './environment.ts'
import { CommandError } from './output.ts'

type AccountSecrets = { consumerKey: string; consumerSecret: string; passkey: string }

const HOW =
  'set ACCOUNT_CONSUMER_KEY, ACCOUNT_CONSUMER_SECRET and ACCOUNT_PASSKEY, or give the three on standard input, a line each in this order'

/** The secrets of an account: from the environment, where all three are there, else from standard input. */
export const readAccountSecrets = async (environment: Environment): Promise<AccountSecrets> => {
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
