import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type { PartnerService, RotateSigningSecretRequest } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { Vault } from '../../runtime/seal.ts'
import { createPartner, parsePartnerName } from '../partners/partner.ts'
import { DEFAULT_OVERLAP_MS, MAX_OVERLAP_MS, rotateSigningSecret } from '../partners/signing-secret.ts'
import { requireScope } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField, tellErrors } from './errors.ts'

type PartnerServiceParts = {
  database: Database
  checks: CallerChecks
  vault: Vault
  randomBytes: (count: number) => Buffer
  log: Log
}

/** The one implementation of PartnerService. */
export const createPartnerService = (parts: PartnerServiceParts): ServiceImpl<typeof PartnerService> => ({
  createPartner: (request, context) =>
    tellErrors(parts.log, context, async () => {
      await requireScope(context, parts.checks, 'partners:manage')
      const name = parsePartnerName(request.name)
      if (!name.ok) throw invalidField('name', name.problem)
      const created = await createPartner({ ...parts, name: name.value })
      parts.log.info({ event: 'partner_created', partner_id: created.partnerId })
      return created
    }),
  rotateSigningSecret: (request, context) =>
    tellErrors(parts.log, context, async () => {
      await requireScope(context, parts.checks, 'partners:manage')
      return rotate(parts, request)
    }),
})

const rotate = async (
  parts: PartnerServiceParts,
  request: RotateSigningSecretRequest,
): Promise<{ signingSecret: string }> => {
  const overlapMs = request.overlapSeconds === undefined ? DEFAULT_OVERLAP_MS : request.overlapSeconds * 1000
  if (overlapMs < 0 || overlapMs > MAX_OVERLAP_MS) {
    throw invalidField('overlap_seconds', `must be a whole number from 0 to ${MAX_OVERLAP_MS / 1000}`)
  }
  const rotation = await rotateSigningSecret({ ...parts, partnerId: request.partnerId, overlapMs })
  if (rotation.kind === 'no_such_partner') throw new ConnectError('there is no such partner', Code.NotFound)
  if (rotation.kind === 'too_many') {
    throw new ConnectError(
      'five secrets of this partner sign already: wait until one expires, or end them with overlap_seconds 0',
      Code.FailedPrecondition,
    )
  }
  parts.log.info({ event: 'signing_secret_rotated', partner_id: Number(request.partnerId) })
  return { signingSecret: rotation.signingSecret }
}
