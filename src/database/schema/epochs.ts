import type { Generated } from 'kysely'

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
