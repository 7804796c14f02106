import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type { TokenService } from '../../gen/mpesa/gateway/v1/tokens_pb.js'
import type { Log } from '../../runtime/log.ts'
import { parseScopes, type Scope } from '../../values/scope.ts'
import type { Actor } from '../audit/record-audit.ts'
import {
  createServiceToken,
  listServiceTokens,
  revokeServiceToken,
  type ServiceToken,
} from '../partners/service-token.ts'
import { failure } from './failure.ts'
import { readAfterOrBefore, readPageSize, toTimestamp } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { readName } from './partner-message.ts'
import { Refused, wrongField } from './refused.ts'

/** What the methods about tokens use. */
export type TokenParts = { database: Database; log: Log; randomBytes: (count: number) => Buffer }

type Methods = OperatorMethods<typeof TokenService, TokenParts>

const answerList: Methods['listTokens'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const after = readAfterOrBefore('after', request.after) ?? 0n
  // One more than the page shows whether there is a next one.
  const tokens = await listServiceTokens(database, { after, limit: limit + 1 })
  const page = tokens.slice(0, limit)
  return {
    tokens: page.map(toMessage),
    nextAfter: tokens.length > limit ? page.at(-1)?.tokenId : undefined,
  }
}

const toMessage = ({ tokenId, name, displayPrefix, scopes, createdAt, revokedAt }: ServiceToken) => ({
  tokenId,
  name,
  displayPrefix,
  scopes,
  createdAt: timestampFromDate(createdAt),
  revokedAt: toTimestamp(revokedAt),
})

const answerCreate: Methods['createToken'] = async (parts, request, actor) => {
  const name = readName(request.name)
  const scopes = parseScopes(request.scopes)
  if (!scopes.ok) throw wrongField('scopes', scopes.problem)
  requireOwn(actor, scopes.value)
  const { database, randomBytes } = parts
  const created = await createServiceToken({ database, name, scopes: scopes.value, actor, randomBytes })
  parts.log.info({ event: 'token_created', token_id: Number(created.tokenId) })
  return created
}

/** A service gives nobody what it may not do itself; an operator at a shell has the database anyway. */
const requireOwn = (actor: Actor, scopes: readonly Scope[]): void => {
  if (actor.kind === 'operator') return
  const lacking = actor.kind === 'service' ? scopes.filter((scope) => !actor.scopes.includes(scope)) : scopes
  if (lacking.length === 0) return
  throw failure(
    'SCOPE_MISSING',
    `the service token lacks the scope ${lacking.join(', ')}: it gives only what it has itself`,
  )
}

const answerRevoke: Methods['revokeToken'] = async ({ database, log }, { tokenId }, actor) => {
  if (!(await revokeServiceToken({ database, tokenId, actor }))) {
    throw new Refused('not_found', `there is no token ${tokenId}, or it was revoked already`)
  }
  log.info({ event: 'token_revoked', token_id: Number(tokenId) })
  return {}
}

/** TokenService. */
export const tokenMethods: Methods = {
  listTokens: answerList,
  createToken: answerCreate,
  revokeToken: answerRevoke,
}
