import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import type {
  CreateKeyRequest,
  ListKeysRequest,
  RevokeKeyRequest,
  RotateKeyRequest,
} from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Actor } from '../audit/record-audit.ts'
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
import { parsePartnerName } from '../partners/partner.ts'
import { invalidField } from './errors.ts'
import { toKeyMessage } from './partner-message.ts'
import type { PartnerServiceParts } from './partner-service.ts'

// The methods of PartnerService about API keys, each after its caller was let in.

export const answerCreateKey = async (
  parts: PartnerServiceParts,
  request: CreateKeyRequest,
  actor: Actor,
) => {
  const name = parsePartnerName(request.name)
  if (!name.ok) throw invalidField('name', name.problem)
  const lifeMs = readSeconds('expires_in_seconds', request.expiresInSeconds, 1, MAX_LIFE_MS)
  const made = await createKey({ ...parts, partnerId: request.partnerId, name: name.value, lifeMs, actor })
  if (made.kind !== 'made') throw notMade(made)
  parts.log.info({ event: 'key_created', partner_id: Number(request.partnerId), key_id: Number(made.keyId) })
  return {
    keyId: made.keyId,
    apiKey: made.apiKey,
    ...(made.expiresAt !== null && { expiresAt: timestampFromDate(made.expiresAt) }),
  }
}

export const answerListKeys = async (parts: PartnerServiceParts, { partnerId }: ListKeysRequest) => {
  const keys = await listKeys(parts.database, partnerId)
  if (keys === null) throw notMade({ kind: 'no_such_partner' })
  return { keys: keys.map(toKeyMessage) }
}

export const answerRotateKey = async (
  parts: PartnerServiceParts,
  { keyId, overlapSeconds }: RotateKeyRequest,
  actor: Actor,
) => {
  const overlapMs = readSeconds('overlap_seconds', overlapSeconds, 0, MAX_OVERLAP_MS) ?? DEFAULT_OVERLAP_MS
  const rotated = await rotateKey({ ...parts, keyId, overlapMs, actor })
  if (rotated.kind !== 'made') throw notMade(rotated)
  parts.log.info({ event: 'key_rotated', key_id: Number(keyId), new_key_id: Number(rotated.keyId) })
  return {
    keyId: rotated.keyId,
    apiKey: rotated.apiKey,
    previousUntil: timestampFromDate(rotated.previousUntil),
    ...(rotated.expiresAt !== null && { expiresAt: timestampFromDate(rotated.expiresAt) }),
  }
}

export const answerRevokeKey = async (
  parts: PartnerServiceParts,
  { keyId }: RevokeKeyRequest,
  actor: Actor,
) => {
  if (!(await revokeKey({ ...parts, keyId, actor }))) throw notMade({ kind: 'no_such_key' })
  parts.log.info({ event: 'key_revoked', key_id: Number(keyId) })
  return {}
}

const readSeconds = (
  field: string,
  seconds: number | undefined,
  from: number,
  maxMs: number,
): number | null => {
  if (seconds === undefined) return null
  if (seconds >= from && seconds * 1000 <= maxMs) return seconds * 1000
  throw invalidField(field, `must be a whole number from ${from} to ${maxMs / 1000}`)
}

const notMade = ({ kind }: NotMade): ConnectError => {
  switch (kind) {
    case 'no_such_partner':
      return new ConnectError('there is no such partner', Code.NotFound)
    case 'no_such_key':
      return new ConnectError('there is no such key, or it was revoked already', Code.NotFound)
    case 'too_many':
      return new ConnectError(
        `${MAX_WORKING_KEYS} keys of this partner work already: revoke one first`,
        Code.FailedPrecondition,
      )
    case 'key_is_over':
      return new ConnectError(
        'the key was revoked or has expired: create a new one instead',
        Code.FailedPrecondition,
      )
    default:
      return kind satisfies never
  }
}
