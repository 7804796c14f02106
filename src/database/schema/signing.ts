import type { ColumnType, Generated } from 'kysely'

/** What deliveries to a partner are signed with, sealed. */
export type SigningSecretsTable = {
  id: Generated<bigint>
  partner_id: bigint
  /** Sealed for this row: see `identityOfSigningSecret`. */
  secret_sealed: string
  created_at: Generated<Date>
  /** Until then it still signs beside its successor; null: it is the current one. */
  expires_at: ColumnType<Date | null, never, Date | null>
}
