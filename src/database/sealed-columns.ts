import { sql, type Transaction } from 'kysely'
import type { Schema } from './schema/schema.ts'

// Every sealed column, and what its secrets are sealed for: the row, and what else of it must not be exchanged
// unnoticed. Who can write to the database, but has no SECRET_KEY, can put no secret where it does not belong.

/** Draws the id of a row that is about to be inserted: its secrets are sealed for it, so it must be known first. */
export const nextId = async (
  transaction: Transaction<Schema>,
  table: 'partner_accounts' | 'signing_secrets',
): Promise<bigint> => {
  const id = sql<bigint>`nextval(pg_get_serial_sequence(${table}, 'id'))`.as('id')
  return (await transaction.selectNoFrom(id).executeTakeFirstOrThrow()).id
}

/** What a signing secret is sealed for. */
export const identityOfSigningSecret = (row: { id: bigint; partner_id: bigint }): string =>
  `signing_secrets ${row.id} of partner ${row.partner_id}`

/** The sealed columns of a partner's account at Daraja. */
export const ACCOUNT_SECRETS = ['consumer_key_sealed', 'consumer_secret_sealed', 'passkey_sealed'] as const

export type AccountSecretColumn = (typeof ACCOUNT_SECRETS)[number]

/**
 * What a secret of an account is sealed for. Who receives the money is part of it: an account that was made to pay
 * somebody else opens no more.
 */
export const identityOfAccountSecret = (
  row: { id: bigint; partner_id: bigint; shortcode: string; transaction_type: string; party_b: string },
  column: AccountSecretColumn,
): string =>
  `partner_accounts ${row.id} of partner ${row.partner_id}, ${row.transaction_type} ${row.shortcode} to ${row.party_b}, ${column}`
