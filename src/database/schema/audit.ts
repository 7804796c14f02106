import type { ColumnType, Generated } from 'kysely'

type Fields = Record<string, unknown>

/** What was done by hand, and by whom; append only. */
export type AuditTable = {
  id: Generated<bigint>
  at: Generated<Date>
  /** `operator`: a command in a shell; `service`: a call with a service token; `partner`: one with a partner's key. */
  actor_kind: 'operator' | 'service' | 'partner'
  /** The id of the service token, or of the key; null for an operator. */
  actor_id: bigint | null
  /** The operator's name, or the token's; of a key the part that is shown. */
  actor_name: string
  /** Whom the service names as the person behind its call, in its own words; null when it names none. */
  operator: string | null
  /** From where: the machine of the shell, or the address of the call. */
  source: string
  /** What was done, in the past tense. */
  action: string
  subject_kind: string
  subject_id: string
  /** The partner that it concerns; null when it concerns none in particular. */
  partner_id: bigint | null
  /** What was changed, as it was; null for what was made. */
  before: ColumnType<Fields | null, string | null, never>
  /** The same as it became; null for what was taken away. */
  after: ColumnType<Fields | null, string | null, never>
}

/** The times between one restored copy and the next; the last one is the present. */
export type EpochsTable = {
  /** From 1. */
  number: number
  /** 32 hexadecimal digits, which no other epoch of any database has. */
  token: string
  begun_at: Generated<Date>
  /** Who said that the database was restored; null for the first. */
  begun_by: string | null
}
