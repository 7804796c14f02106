import { hostname, userInfo } from 'node:os'
import { Option } from 'commander'
import type { Actor } from '../core/audit/record-audit.ts'
import { CommandError } from './output.ts'

/** `--by`: who does it, for the audit log; the user who is logged in unless given. */
export const byOption = (): Option =>
  new Option('--by <name>', 'who does it; kept in the audit log (default: the user who is logged in)')

/** The operator at this shell; `name` is what `--by` gave. Throws a message for a person when the name is none. */
export const toOperator = (name: string | undefined): Extract<Actor, { kind: 'operator' }> => {
  const trimmed = (name ?? nameOfUser()).trim()
  if (trimmed === '' || trimmed.length > 100 || /\p{Cc}/u.test(trimmed)) {
    throw new CommandError('--by must be 1 to 100 printable characters')
  }
  return { kind: 'operator', name: trimmed, from: hostname() }
}

/** The user of this process; by number where the system has no name for it, as in a container with a user of its own. */
const nameOfUser = (): string => {
  try {
    return userInfo().username
  } catch {
    return `uid:${process.getuid?.() ?? 'unknown'}`
  }
}
