import type { DarajaAccount } from '../core/daraja/account.ts'
import { readConfig } from '../runtime/config.ts'
import type { Environment } from './environment.ts'

/** What M-PESA knows the default account by; no secret is needed for that. */
export const readDefaultNumbers = (environment: Environment): Pick<DarajaAccount, 'shortcode' | 'partyB'> => {
  const { DARAJA_SHORTCODE: shortcode, DARAJA_PARTY_B: partyB } = readConfig(environment, [
    'DARAJA_SHORTCODE',
    'DARAJA_PARTY_B',
  ])
  return { shortcode, partyB: partyB ?? shortcode }
}

/** The account of payments whose partner has none of its own. */
export const readDefaultAccount = (environment: Environment): DarajaAccount => {
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
