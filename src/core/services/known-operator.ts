import type { Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import type { OperatorRole } from '../../values/operator-role.ts'
import { type Actor, nameOf } from '../audit/record-audit.ts'
import { Refused, wrongField } from './refused.ts'

/**
 * The operator that `actor` is, as the console knows it. Where two people are needed they are told apart by their names, so
 * a name that is no operator's is nobody's: neither that of a token, nor of a machine's user. Throws `Refused`.
 */
export const requireOperator = async (
  transaction: Transaction<Schema>,
  actor: Actor,
  does: 'asks' | 'decides',
): Promise<{ name: string; role: OperatorRole }> => {
  if (actor.kind === 'service' && actor.operator === null)
    throw wrongField('x-operator', `must name the operator who ${does}, as metadata`)
  const name = nameOf(actor)
  const operator = await findOperator(transaction, name)
  if (operator === undefined)
    throw new Refused('not_possible', `${name} is no operator, or is disabled; ${HOW[actor.kind]}`)
  return operator
}

/** The operator of a name; undefined: there is none, or one that is disabled. */
export const findOperator = (
  transaction: Transaction<Schema>,
  name: string,
): Promise<{ name: string; role: OperatorRole } | undefined> =>
  transaction
    .selectFrom('operators')
    .select(['name', 'role'])
    .where('name', '=', name)
    .where('disabled_at', 'is', null)
    .executeTakeFirst()

/** How it is said who one is. */
const HOW: Readonly<Record<Actor['kind'], string>> = {
  operator: 'say who you are by --by NAME, one of gateway operators list',
  service: 'name one of gateway operators list in x-operator, as metadata',
  partner: 'a partner’s key is none',
}
