import type { ColumnType, Generated } from 'kysely'

/** Changes that one operator asked for and another decides. */
export type ApprovalsTable = {
  id: Generated<bigint>
  kind: 'settle_payment' | 'erase_payer'
  /** The payment to settle, or one of those of the payer to erase. */
  payment_id: bigint
  /** How it was asked for; never a payer's number. */
  parameters: ColumnType<Record<string, unknown>, string, never>
  asked_by: string
  asked_at: Generated<Date>
  expires_at: Generated<Date>
  decided_by: string | null
  decided_at: Date | null
  decision: 'approved' | 'refused' | 'expired' | null
}
