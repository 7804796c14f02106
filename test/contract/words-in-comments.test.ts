import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { AUDIT_SUBJECTS } from '../../src/core/audit/record-audit.ts'
import { FINDING_KINDS } from '../../src/core/settle/findings.ts'
import { EXCEPTION_KINDS } from '../../src/core/statements/exceptions.ts'
import { ERROR_CLASSES } from '../../src/values/error-class.ts'
import { OPERATOR_ROLES } from '../../src/values/operator-role.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'proto', 'mpesa', 'gateway', 'v1')

/** The words in backticks that a comment of the contract has, from where it begins to the field that it is about. */
const wordsIn = async (file: string, begins: string, field: string): Promise<string[]> => {
  const text = await readFile(join(FOLDER, file), 'utf8')
  const from = text.indexOf(begins)
  const comment = text.slice(from, text.indexOf(field, from))
  return [...comment.matchAll(/`([a-z_]+)`/g)].map(([, word = '']) => word)
}

it.each([
  ['audit.proto', 'Only what was done to such things', 'optional string subject_kind', AUDIT_SUBJECTS],
  ['deliveries.proto', 'Why the last attempt failed', 'optional string error_class', ERROR_CLASSES],
  ['operators.proto', '// `look`', 'string role', OPERATOR_ROLES],
  ['payment_operations.proto', '// `failure_after_success`', 'string kind', FINDING_KINDS],
  ['statements.proto', '// `paid_there`', 'string kind', EXCEPTION_KINDS],
] as const)('%s: "%s" names all that there are', async (file, begins, field, words) => {
  expect((await wordsIn(file, begins, field)).toSorted()).toEqual([...words].toSorted())
})
