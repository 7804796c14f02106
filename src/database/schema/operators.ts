import type { ColumnType, Generated } from 'kysely'
import type { OperatorRole } from '../../values/operator-role.ts'

/** Who may use the console. */
export type OperatorsTable = {
  id: Generated<bigint>
  name: string
  role: OperatorRole
  /** As `password.ts` makes it; null: signs in by links only. */
  password_hash: string | null
  created_at: Generated<Date>
  disabled_at: ColumnType<Date | null, never, Date | null>
}

/** Where operators are signed in; what has ended is deleted. */
export type OperatorSessionsTable = {
  id: Generated<bigint>
  operator_id: bigint
  /** SHA-256 of the cookie's token. */
  token_hash: Buffer
  address: string
  browser: string
  created_at: Generated<Date>
  /** To the minute. */
  used_at: Generated<Date>
}

/** Links that sign in once; what was used is deleted. */
export type OperatorLinksTable = {
  /** SHA-256 of the code. */
  code_hash: Buffer
  operator_id: bigint
  expires_at: Date
}

/** How often a name, or a client, was wrong of late. */
export type SignInGuessesTable = {
  /** `name wanjiku`, `client 192.0.2.1`. */
  guesser: string
  wrong: number
  last_at: Generated<Date>
  /** Until then it is not looked at. */
  wait_until: Generated<Date>
}
