import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type { OperatorService } from '../../gen/mpesa/gateway/v1/operators_pb.js'
import type { Log } from '../../runtime/log.ts'
import { isOperatorRole, OPERATOR_ROLES, type OperatorRole } from '../../values/operator-role.ts'
import {
  createLink,
  createOperator,
  listOperators,
  type Operator,
  setDisabled,
  setRole,
} from '../operators/operator.ts'
import { parsePassword } from '../operators/password.ts'
import { readAfterOrBefore, readPageSize, toTimestamp } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { readName } from './partner-message.ts'
import { Refused, wrongField } from './refused.ts'

/** What the methods about operators use. */
export type OperatorParts = { database: Database; log: Log; randomBytes: (count: number) => Buffer }

type Methods = OperatorMethods<typeof OperatorService, OperatorParts>

const answerList: Methods['listOperators'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const after = readAfterOrBefore('after', request.after) ?? 0n
  // One more than the page shows whether there is a next one.
  const found = await listOperators(database, { after, limit: limit + 1 })
  const page = found.slice(0, limit)
  return {
    operators: page.map(toMessage),
    nextAfter: found.length > limit ? page.at(-1)?.id : undefined,
  }
}

const toMessage = (operator: Operator) => ({
  operatorId: operator.id,
  name: operator.name,
  role: operator.role,
  hasPassword: operator.has_password,
  createdAt: timestampFromDate(operator.created_at),
  disabledAt: toTimestamp(operator.disabled_at),
  usedAt: toTimestamp(operator.used_at),
})

const answerCreate: Methods['createOperator'] = async (parts, request, actor) => {
  const { database, randomBytes, log } = parts
  const name = readName(request.name)
  const role = readRole(request.role)
  const password = request.password === undefined ? null : readPassword(request.password)
  const created = await createOperator({ database, name, role, password, actor, randomBytes })
  if (created === null) throw new Refused('not_possible', `there is an operator of the name ${name}`)
  log.info({ event: 'operator_created', operator_id: Number(created.operatorId) })
  return { operatorId: created.operatorId, signInCode: created.code ?? undefined }
}

const readRole = (text: string): OperatorRole => {
  if (!isOperatorRole(text)) throw wrongField('role', `must be one of ${OPERATOR_ROLES.join(', ')}`)
  return text
}

const readPassword = (text: string): string => {
  const parsed = parsePassword(text)
  if (!parsed.ok) throw wrongField('password', parsed.problem)
  return parsed.value
}

const answerSetRole: Methods['setOperatorRole'] = async ({ database }, request, actor) => {
  const { operatorId } = request
  const done = await setRole({ database, operatorId, actor, role: readRole(request.role) })
  if (!done) throw noSuchOperator(operatorId)
  return {}
}

const answerDisable: Methods['disableOperator'] = async ({ database }, { operatorId }, actor) => {
  const done = await setDisabled({ database, operatorId, actor, disabled: true })
  if (!done) throw noSuchOperator(operatorId, ', or it is disabled already')
  return {}
}

const answerEnable: Methods['enableOperator'] = async ({ database }, { operatorId }, actor) => {
  const done = await setDisabled({ database, operatorId, actor, disabled: false })
  if (!done) throw noSuchOperator(operatorId, ', or it is not disabled')
  return {}
}

const answerLink: Methods['createSignInLink'] = async ({ database, randomBytes }, { operatorId }, actor) => {
  const code = await createLink({ database, operatorId, actor, randomBytes })
  if (code === null) throw noSuchOperator(operatorId, ', or it is disabled')
  return { signInCode: code }
}

const noSuchOperator = (operatorId: bigint, or = ''): Refused =>
  new Refused('not_found', `there is no operator ${operatorId}${or}`)

/** OperatorService. */
export const operatorMethods: Methods = {
  listOperators: answerList,
  createOperator: answerCreate,
  setOperatorRole: answerSetRole,
  disableOperator: answerDisable,
  enableOperator: answerEnable,
  createSignInLink: answerLink,
}
