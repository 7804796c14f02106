import { hostname, userInfo } from 'node:os'
import { Option } from 'commander'
import type { Actor } from '../core/audit/record-audit.ts'
import { CommandError } from './output.ts'

/** `--by`: who does it, for the audit log; the user who is logged in unless given. */
export const byOption = (): Option =>
  new Option('--by <name>', 'who does it; kept in the audit log').default(userInfo().username)

/** The operator at this shell. Throws a message for a person when the name is none. */
export const toOperator = (name: string): Actor => {
  const trimmed = name.trim()
  if (trimmed === '' || trimmed.length > 100 || /\p{Cc}/u.test(trimmed)) {
    throw new CommandError('--by must be 1 to 100 printable characters')
  }
  return { kind: 'operator', name: trimmed, from: hostname() }
}
