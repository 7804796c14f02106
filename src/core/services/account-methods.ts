import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import {
  type AccountService,
  type SetAccountRequest,
  TransactionType,
} from '../../gen/mpesa/gateway/v1/accounts_pb.js'
import type { Log } from '../../runtime/log.ts'
import { CannotOpen, type Vault } from '../../runtime/seal.ts'
import { parseMsisdn } from '../../values/msisdn.ts'
import type { DarajaAccount } from '../daraja/account.ts'
import type { AccountCheck } from '../daraja/check-account.ts'
import { openSecrets } from '../partners/open-accounts.ts'
import { findPartner } from '../partners/partner.ts'
import {
  type AccountFeatures,
  endAccount,
  findCurrentAccount,
  listAccounts,
  setAccount,
} from '../partners/partner-account.ts'
import { readAfterOrBefore, readPageSize, toTimestamp } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { noSuchPartner, Refused, wrongField } from './refused.ts'

/** What the methods about accounts use. */
export type AccountParts = {
  database: Database
  log: Log
  vault: Vault
  /** The account of payments whose partner has none of its own. */
  defaultAccount: () => DarajaAccount
  /** Asks Daraja for a token as an account. */
  checkAccount: (account: DarajaAccount) => Promise<AccountCheck>
}

type Methods = OperatorMethods<typeof AccountService, AccountParts>

const TYPES = {
  CustomerPayBillOnline: TransactionType.PAYBILL,
  CustomerBuyGoodsOnline: TransactionType.TILL,
} as const

const answerList: Methods['listAccounts'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const after = readAfterOrBefore('after', request.after) ?? 0n
  // One more than the page shows whether there is a next one.
  const found = await listAccounts(database, {
    partnerId: request.partnerId ?? null,
    after,
    limit: limit + 1,
  })
  const page = found.slice(0, limit)
  return {
    accounts: page.map((row) => ({
      accountId: row.account_id,
      partnerId: row.partner_id,
      shortcode: row.shortcode,
      transactionType: TYPES[row.transaction_type],
      partyB: row.party_b,
      uniqueReference: row.unique_reference,
      pull: row.pull,
      createdAt: timestampFromDate(row.created_at),
      endedAt: toTimestamp(row.ended_at),
    })),
    nextAfter: found.length > limit ? page.at(-1)?.account_id : undefined,
  }
}

const answerSet: Methods['setAccount'] = async ({ database, vault, log }, request, actor) => {
  const { partnerId } = request
  const account = readAccount(request)
  const features = readFeatures(request)
  const accountId = await setAccount({ database, vault, partnerId, account, features, actor })
  if (accountId === null) throw noSuchPartner(partnerId)
  log.info({ event: 'account_set', partner_id: Number(partnerId), account_id: Number(accountId) })
  return { accountId }
}

const readAccount = (request: SetAccountRequest): DarajaAccount => {
  const shortcode = readReceiver('shortcode', request.shortcode)
  return {
    shortcode,
    partyB: request.till === undefined ? shortcode : readReceiver('till', request.till),
    transactionType: readType(request.transactionType),
    consumerKey: readSecret('consumer_key', request.consumerKey),
    consumerSecret: readSecret('consumer_secret', request.consumerSecret),
    passkey: readSecret('passkey', request.passkey),
  }
}

/** As the settings of the default account have it. */
const readReceiver = (field: string, digits: string): string => {
  if (!/^\d{5,8}$/.test(digits)) throw wrongField(field, 'must be 5 to 8 digits')
  return digits
}

const readType = (type: TransactionType): DarajaAccount['transactionType'] => {
  switch (type) {
    case TransactionType.UNSPECIFIED:
    case TransactionType.PAYBILL:
      return 'CustomerPayBillOnline'
    case TransactionType.TILL:
      return 'CustomerBuyGoodsOnline'
    default:
      throw wrongField('transaction_type', 'must be PAYBILL or TILL')
  }
}

/** Daraja's own are printable and without blanks: what is not was copied wrongly. */
const readSecret = (field: string, secret: string): string => {
  if (!/^[!-~]{1,500}$/.test(secret)) {
    throw wrongField(field, 'must be 1 to 500 printable characters without blanks')
  }
  return secret
}

const readFeatures = ({ uniqueReference, pull, pullMsisdn }: SetAccountRequest): AccountFeatures => {
  if (pullMsisdn !== undefined && !pull) throw wrongField('pull_msisdn', 'needs pull')
  if (pull && !uniqueReference) {
    throw wrongField('pull', 'needs unique_reference: pulled transactions are matched by it')
  }
  if (pullMsisdn === undefined) return { uniqueReference, pull: pull ? { msisdn: null } : null }
  const msisdn = parseMsisdn(pullMsisdn)
  if (!msisdn.ok) throw wrongField('pull_msisdn', 'must be 12 digits that start with 2547 or 2541')
  return { uniqueReference, pull: { msisdn: msisdn.value } }
}

const answerEnd: Methods['endAccount'] = async ({ database, log }, { partnerId }, actor) => {
  const accountId = await endAccount({ database, partnerId, actor })
  if (accountId === null) {
    throw new Refused('not_found', `partner ${partnerId} has no account of its own`)
  }
  log.info({ event: 'account_ended', partner_id: Number(partnerId), account_id: Number(accountId) })
  return { accountId }
}

const answerCheck: Methods['checkAccount'] = async (parts, { partnerId }) => {
  const own = partnerId === undefined ? null : await openOwn(parts, partnerId)
  const account = own ?? parts.defaultAccount()
  const { problem } = await parts.checkAccount(account)
  return { shortcode: account.shortcode, own: own !== null, problem: problem ?? undefined }
}

/** The partner's own account, opened; null when it has none. */
const openOwn = async (
  { database, vault }: AccountParts,
  partnerId: bigint,
): Promise<DarajaAccount | null> => {
  if ((await findPartner(database, partnerId)) === null) throw noSuchPartner(partnerId)
  const row = await findCurrentAccount(database, partnerId)
  if (row === undefined) return null
  try {
    return openSecrets(vault, row)
  } catch (error) {
    if (!(error instanceof CannotOpen)) throw error
    throw new Refused('not_possible', `the secrets cannot be opened: ${error.message}`)
  }
}

/** AccountService. */
export const accountMethods: Methods = {
  listAccounts: answerList,
  setAccount: answerSet,
  endAccount: answerEnd,
  checkAccount: answerCheck,
}
