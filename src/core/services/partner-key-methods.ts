import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { Vault } from '../../runtime/seal.ts'
import {
  createKey,
  DEFAULT_OVERLAP_MS,
  listKeys,
  MAX_LIFE_MS,
  MAX_OVERLAP_MS,
  MAX_WORKING_KEYS,
  type NotMade,
  revokeKey,
  rotateKey,
} from '../partners/api-key.ts'
import { MAX_SIGNING, rotateSigningSecret } from '../partners/signing-secret.ts'
import { toTimestamp } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { readName, toKeyMessage } from './partner-message.ts'
import { noSuchPartner, Refused, wrongField } from './refused.ts'

/** What the methods about partners use. */
export type PartnerParts = {
  database: Database
  vault: Vault
  randomBytes: (count: number) => Buffer
  log: Log
}

type Methods = OperatorMethods<typeof PartnerService, PartnerParts>

export const answerCreateKey: Methods['createKey'] = async (parts, request, actor) => {
  const { partnerId } = request
  const name = readName(request.name)
  const lifeMs = readSeconds('expires_in_seconds', request.expiresInSeconds, 1, MAX_LIFE_MS)
  const { database, randomBytes } = parts
  const made = await createKey({
    database,
    partnerId,
    name,
    lifeMs,
    isTest: request.test,
    actor,
    randomBytes,
  })
  if (made.kind !== 'made') throw notMade(made, { partnerId })
  parts.log.info({ event: 'key_created', partner_id: Number(partnerId), key_id: Number(made.keyId) })
  return { keyId: made.keyId, apiKey: made.apiKey, expiresAt: toTimestamp(made.expiresAt) }
}

export const answerListKeys: Methods['listKeys'] = async ({ database }, { partnerId }) => {
  const keys = await listKeys(database, partnerId)
  if (keys === null) throw noSuchPartner(partnerId)
  return { keys: keys.map(toKeyMessage) }
}

export const answerRotateKey: Methods['rotateKey'] = async (parts, request, actor) => {
  const { keyId } = request
  const overlapMs = readOverlap(request.overlapSeconds)
  const { database, randomBytes } = parts
  const rotated = await rotateKey({ database, keyId, overlapMs, actor, randomBytes })
  if (rotated.kind !== 'made') throw notMade(rotated, { keyId })
  parts.log.info({ event: 'key_rotated', key_id: Number(keyId), new_key_id: Number(rotated.keyId) })
  return {
    keyId: rotated.keyId,
    apiKey: rotated.apiKey,
    previousUntil: timestampFromDate(rotated.previousUntil),
    expiresAt: toTimestamp(rotated.expiresAt),
  }
}

export const answerRevokeKey: Methods['revokeKey'] = async ({ database, log }, { keyId }, actor) => {
  const isDone = await revokeKey({ database, keyId, actor })
  if (!isDone) throw new Refused('not_found', `there is no key ${keyId}, or it was revoked already`)
  log.info({ event: 'key_revoked', key_id: Number(keyId) })
  return {}
}

export const answerRotateSigningSecret: Methods['rotateSigningSecret'] = async (parts, request, actor) => {
  const { partnerId } = request
  const overlapMs = readOverlap(request.overlapSeconds)
  const { database, vault, randomBytes } = parts
  const rotation = await rotateSigningSecret({ database, vault, partnerId, overlapMs, actor, randomBytes })
  if (rotation.kind === 'no_such_partner') throw noSuchPartner(partnerId)
  if (rotation.kind === 'too_many') {
    throw new Refused(
      'not_possible',
      `${MAX_SIGNING} secrets of partner ${partnerId} sign already: wait until one expires, or end them with an overlap of 0s`,
    )
  }
  parts.log.info({ event: 'signing_secret_rotated', partner_id: Number(partnerId) })
  const { signingSecret, previousUntil } = rotation
  return { signingSecret, previousUntil: timestampFromDate(previousUntil) }
}

/** Of keys and of signing secrets alike. */
const readOverlap = (seconds: number | undefined): number =>
  readSeconds('overlap_seconds', seconds, 0, MAX_OVERLAP_MS) ?? DEFAULT_OVERLAP_MS

const readSeconds = (
  field: string,
  seconds: number | undefined,
  from: number,
  maxMs: number,
): number | null => {
  if (seconds === undefined) return null
  if (seconds >= from && seconds * 1000 <= maxMs) return seconds * 1000
  throw wrongField(field, `must be a whole number from ${from} to ${maxMs / 1000}`)
}

const notMade = ({ kind }: NotMade, of: { partnerId?: bigint; keyId?: bigint }): Refused => {
  switch (kind) {
    case 'no_such_partner':
      return noSuchPartner(of.partnerId ?? 0n)
    case 'no_such_key':
      return new Refused('not_found', `there is no key ${of.keyId}`)
    case 'too_many':
      return new Refused(
        'not_possible',
        `${MAX_WORKING_KEYS} keys of that partner work already: revoke one first`,
      )
    case 'key_is_over':
      return new Refused(
        'not_possible',
        `key ${of.keyId} was revoked or has expired: create a new one instead`,
      )
    default:
      return kind satisfies never
  }
}
