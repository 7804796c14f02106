import { LRUCache } from 'lru-cache'
import type { Database } from '../../database/connect.ts'
import { identityOfAccountSecret } from '../../database/sealed-columns.ts'
import { asOne } from '../../runtime/as-one.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import { CannotOpen, type Vault } from '../../runtime/seal.ts'
import { isTestId } from '../../values/test-partner.ts'
import type { DarajaAccount } from '../daraja/account.ts'
import { DEFAULT_ACCOUNT_ID } from '../daraja/account.ts'
import type { FindAccount, OpenAccount } from '../daraja/call.ts'
import type { SendToDaraja } from '../daraja/client.ts'
import { createTokenSource } from '../daraja/token.ts'
import { type AccountRow, findAccountRow } from './partner-account.ts'

/** For how long an opened account is remembered, ms: new secrets of it are used within this. */
const REMEMBERED_MS = 5_000

/** Opened accounts that are remembered at once. */
const MAX_REMEMBERED = 10_000

type Options = {
  database: Database
  vault: Vault
  send: SendToDaraja
  clock: Clock
  nowMs: () => number
  log: Log
}

/**
 * Opens accounts by their ids: the default one is given, partners' own are in the database, sealed; those of test
 * payments are no accounts at all, and have nothing here by which they could ask Daraja. The same account keeps its
 * access token for as long as its secrets stay the same.
 */
export const createAccounts = (
  options: Options & {
    defaultAccount: { account: DarajaAccount } & Omit<OpenAccount, 'daraja' | 'test'>
    openTestAccount: (accountId: bigint) => OpenAccount
  },
): FindAccount => {
  const { account, ...features } = options.defaultAccount
  const defaultAccount = { ...features, daraja: toDaraja(options, account), test: null }
  const known = new Map<bigint, OpenAccount>()
  const remembered = new LRUCache<bigint, { account: OpenAccount | null }>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: asOne,
    ttl: REMEMBERED_MS,
    perf: { now: options.nowMs },
    fetchMethod: async (accountId) => {
      const opened = openAccount(options, await findAccountRow(options.database, accountId), accountId)
      const account = opened === null ? null : keepToken(opened, known.get(accountId))
      if (account !== null) known.set(accountId, account)
      return { account }
    },
  })
  return async (accountId) => {
    if (accountId === DEFAULT_ACCOUNT_ID) return defaultAccount
    if (isTestId(accountId)) return options.openTestAccount(accountId)
    return (await remembered.fetch(accountId))?.account ?? null
  }
}

const toDaraja = ({ send, clock, nowMs }: Options, account: DarajaAccount) => ({
  account,
  send,
  clock,
  tokens: createTokenSource({ send, account, nowMs }),
})

/** An account that was opened again, with the access token that it had, if that is a token of the same secrets. */
const keepToken = (opened: OpenAccount, before: OpenAccount | undefined): OpenAccount => {
  const [now, then] = [opened.daraja.account, before?.daraja.account]
  const isSame = now.consumerKey === then?.consumerKey && now.consumerSecret === then.consumerSecret
  return before && isSame ? { ...opened, daraja: { ...opened.daraja, tokens: before.daraja.tokens } } : opened
}

const openAccount = (
  options: Options,
  row: AccountRow | undefined,
  accountId: bigint,
): OpenAccount | null => {
  try {
    if (!row) throw new CannotOpen('there is no such account')
    return {
      daraja: toDaraja(options, openSecrets(options.vault, row)),
      uniqueReference: row.unique_reference,
      pull: row.pull ? { msisdn: row.pull_msisdn } : null,
      test: null,
    }
  } catch (error) {
    if (!(error instanceof CannotOpen)) throw error
    options.log.error({ event: 'account_unreadable', account_id: Number(accountId), reason: error.message })
    return null
  }
}

/** What Daraja knows a partner by, opened. Throws `CannotOpen`. */
export const openSecrets = (vault: Vault, row: AccountRow): DarajaAccount => ({
  shortcode: row.shortcode,
  transactionType: row.transaction_type,
  partyB: row.party_b,
  consumerKey: vault.open(row.consumer_key_sealed, identityOfAccountSecret(row, 'consumer_key_sealed')),
  consumerSecret: vault.open(
    row.consumer_secret_sealed,
    identityOfAccountSecret(row, 'consumer_secret_sealed'),
  ),
  passkey: vault.open(row.passkey_sealed, identityOfAccountSecret(row, 'passkey_sealed')),
})
