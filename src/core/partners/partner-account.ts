import type { Selectable, Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { PartnerAccountsTable } from '../../database/schema/partners.ts'
import type { Schema } from '../../database/schema/schema.ts'
import {
  ACCOUNT_SECRETS,
  type AccountSecretColumn,
  identityOfAccountSecret,
  nextId,
} from '../../database/sealed-columns.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import type { Vault } from '../../runtime/seal.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import type { DarajaAccount } from '../daraja/account.ts'
import { lockPartner } from './lock-partner.ts'

/** What opening an account needs of it. */
const ACCOUNT_COLUMNS = [
  'id',
  'partner_id',
  'shortcode',
  'transaction_type',
  'party_b',
  ...ACCOUNT_SECRETS,
  'unique_reference',
  'pull',
  'pull_msisdn',
] as const satisfies readonly (keyof PartnerAccountsTable)[]

export type AccountRow = Pick<Selectable<PartnerAccountsTable>, (typeof ACCOUNT_COLUMNS)[number]>

/** What a partner's account is, beside its secrets. */
export type AccountFeatures = {
  uniqueReference: boolean
  pull: { msisdn: string | null } | null
}

/** An account of a partner at Daraja, without its secrets; undefined when there is none of this id. */
export const findAccountRow = (database: Database, accountId: bigint): Promise<AccountRow | undefined> =>
  database
    .selectFrom('partner_accounts')
    .select(ACCOUNT_COLUMNS)
    .where('id', '=', accountId)
    .executeTakeFirst()

/** The account that new payments of a partner go through; undefined: the default one. */
export const findCurrentAccount = (database: Database, partnerId: bigint): Promise<AccountRow | undefined> =>
  database
    .selectFrom('partner_accounts')
    .select(ACCOUNT_COLUMNS)
    .where('partner_id', '=', partnerId)
    .where('ended_at', 'is', null)
    .executeTakeFirst()

/** At most `limit` accounts of every partner, or of one, with an id above `after`, oldest first. */
export const listAccounts = (
  database: Database,
  { partnerId, after, limit }: { partnerId: bigint | null; after: bigint; limit: number },
) => {
  const accounts = database
    .selectFrom('partner_accounts')
    .select([
      'id as account_id',
      'partner_id',
      'shortcode',
      'transaction_type',
      'party_b',
      'unique_reference',
      'pull',
    ])
    .select(['created_at', 'ended_at'])
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
  return (partnerId === null ? accounts : accounts.where('partner_id', '=', partnerId)).execute()
}

/**
 * Lets new payments of a partner go through an account of its own from now on; resolves with the account's id, null
 * when there is no such partner. One that it had before, with the same receiver, gets the new secrets, also for
 * payments that are under way. Those of another go on through that one.
 */
export const setAccount = async (options: {
  database: Database
  vault: Vault
  partnerId: bigint
  account: DarajaAccount
  features: AccountFeatures
  actor: Actor
}): Promise<bigint | null> => {
  const accountId = await options.database.transaction().execute(async (transaction) => {
    if (!(await lockPartner(transaction, options.partnerId))) return null
    await endCurrent(transaction, options.partnerId)
    const id = (await findSame(transaction, options)) ?? (await nextId(transaction, 'partner_accounts'))
    const row = toRow(options, id)
    const again = { ...row, ended_at: null }
    await transaction
      .insertInto('partner_accounts')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(again))
      .execute()
    await audit(transaction, options, { action: 'set', accountId: id, after: features(options) })
    crashPoint('set_account.before_commit')
    return id
  })
  crashPoint('set_account.after_commit')
  return accountId
}

/** Lets new payments of a partner go through the default account again; resolves with the one that ended, null for none. */
export const endAccount = async (options: {
  database: Database
  partnerId: bigint
  actor: Actor
}): Promise<bigint | null> => {
  const ended = await options.database.transaction().execute(async (transaction) => {
    await lockPartner(transaction, options.partnerId)
    const accountId = await endCurrent(transaction, options.partnerId)
    if (accountId === null) return null
    await audit(transaction, options, { action: 'ended', accountId, after: null })
    crashPoint('end_account.before_commit')
    return accountId
  })
  crashPoint('end_account.after_commit')
  return ended
}

const endCurrent = async (transaction: Transaction<Schema>, partnerId: bigint): Promise<bigint | null> => {
  const ended = await transaction
    .updateTable('partner_accounts')
    .set({ ended_at: now })
    .where('partner_id', '=', partnerId)
    .where('ended_at', 'is', null)
    .returning('id')
    .executeTakeFirst()
  return ended?.id ?? null
}

/** The account that the partner had with the same receiver. */
const findSame = async (
  transaction: Transaction<Schema>,
  options: { partnerId: bigint; account: DarajaAccount },
): Promise<bigint | null> => {
  const found = await transaction
    .selectFrom('partner_accounts')
    .select('id')
    .where('partner_id', '=', options.partnerId)
    .where('shortcode', '=', options.account.shortcode)
    .where('transaction_type', '=', options.account.transactionType)
    .where('party_b', '=', options.account.partyB)
    .executeTakeFirst()
  return found?.id ?? null
}

const toRow = (
  options: { vault: Vault; partnerId: bigint; account: DarajaAccount; features: AccountFeatures },
  id: bigint,
) => {
  const { account, vault } = options
  const known = {
    id,
    partner_id: options.partnerId,
    shortcode: account.shortcode,
    transaction_type: account.transactionType,
    party_b: account.partyB,
  }
  const seal = (secret: string, column: AccountSecretColumn): string =>
    vault.seal(secret, identityOfAccountSecret(known, column))
  return {
    ...known,
    consumer_key_sealed: seal(account.consumerKey, 'consumer_key_sealed'),
    consumer_secret_sealed: seal(account.consumerSecret, 'consumer_secret_sealed'),
    passkey_sealed: seal(account.passkey, 'passkey_sealed'),
    unique_reference: options.features.uniqueReference,
    pull: options.features.pull !== null,
    pull_msisdn: options.features.pull?.msisdn ?? null,
  }
}

const features = ({ account, features }: { account: DarajaAccount; features: AccountFeatures }) => ({
  shortcode: account.shortcode,
  transaction_type: account.transactionType,
  party_b: account.partyB,
  unique_reference: features.uniqueReference,
  pull: features.pull !== null,
})

const audit = async (
  transaction: Transaction<Schema>,
  options: { partnerId: bigint; actor: Actor },
  done: { action: string; accountId: bigint; after: Record<string, unknown> | null },
): Promise<void> => {
  await recordAudit(transaction, {
    actor: options.actor,
    action: done.action,
    subject: { kind: 'account', id: done.accountId },
    partnerId: options.partnerId,
    before: null,
    after: done.after,
  })
}
