import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type {
  CreatePartnerRequest,
  ListPartnersRequest,
  PartnerService,
  RotateSigningSecretRequest,
  SetPartnerSettingsRequest,
} from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { Vault } from '../../runtime/seal.ts'
import type { Actor } from '../audit/record-audit.ts'
import { setDisabled, setPartnerSettings } from '../partners/change-partner.ts'
import { createPartner, findPartner, listPartners, parsePartnerName } from '../partners/partner.ts'
import { DEFAULT_OVERLAP_MS, MAX_OVERLAP_MS, rotateSigningSecret } from '../partners/signing-secret.ts'
import { requireScope } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { invalidField, withErrorMapping } from './errors.ts'
import { answerCreateKey, answerListKeys, answerRevokeKey, answerRotateKey } from './partner-keys.ts'
import { readSettings, toPartnerMessage } from './partner-message.ts'

export type PartnerServiceParts = {
  database: Database
  checks: CallerChecks
  vault: Vault
  randomBytes: (count: number) => Buffer
  log: Log
}

const DEFAULT_PAGE = 100
const MAX_PAGE = 1000

/** The one implementation of PartnerService. */
export const createPartnerService = (parts: PartnerServiceParts): ServiceImpl<typeof PartnerService> => {
  /** Lets services in that manage partners, and hands on who it is. */
  const managing =
    <Request, Response>(
      answer: (parts: PartnerServiceParts, request: Request, actor: Actor) => Promise<Response>,
    ) =>
    (request: Request, context: HandlerContext): Promise<Response> =>
      withErrorMapping(parts.log, context, async () =>
        answer(parts, request, await requireScope(context, parts.checks, 'partners:manage')),
      )
  return {
    createPartner: managing(create),
    listPartners: managing(list),
    getPartner: managing((_parts, { partnerId }: { partnerId: bigint }) => answerPartner(parts, partnerId)),
    disablePartner: managing(disabling(true)),
    enablePartner: managing(disabling(false)),
    setPartnerSettings: managing(set),
    createKey: managing(answerCreateKey),
    listKeys: managing(answerListKeys),
    rotateKey: managing(answerRotateKey),
    revokeKey: managing(answerRevokeKey),
    rotateSigningSecret: managing(rotate),
  }
}

const create = async (parts: PartnerServiceParts, request: CreatePartnerRequest, actor: Actor) => {
  const name = parsePartnerName(request.name)
  if (!name.ok) throw invalidField('name', name.problem)
  const created = await createPartner({ ...parts, name: name.value, actor })
  parts.log.info({ event: 'partner_created', partner_id: created.partnerId })
  return created
}

const list = async (parts: PartnerServiceParts, request: ListPartnersRequest) => {
  const limit = request.pageSize === 0 ? DEFAULT_PAGE : request.pageSize
  if (limit < 1 || limit > MAX_PAGE)
    throw invalidField('page_size', `must be a whole number from 1 to ${MAX_PAGE}`)
  // One more than the page tells whether there is a next one.
  const found = await listPartners({ ...parts, limit: limit + 1, after: request.after ?? null })
  const page = found.slice(0, limit)
  return {
    partners: page.map(toPartnerMessage),
    nextAfter: found.length > limit ? page.at(-1)?.id : undefined,
  }
}

const answerPartner = async (parts: PartnerServiceParts, partnerId: bigint) => {
  const partner = await findPartner(parts.database, partnerId)
  if (partner === null) throw noSuchPartner()
  return { partner: toPartnerMessage(partner) }
}

const disabling =
  (isDisabled: boolean) =>
  async (parts: PartnerServiceParts, { partnerId }: { partnerId: bigint }, actor: Actor) => {
    if (!(await setDisabled({ ...parts, partnerId, isDisabled, actor }))) throw noSuchPartner()
    parts.log.info({ event: `partner_${isDisabled ? 'disabled' : 'enabled'}`, partner_id: Number(partnerId) })
    return answerPartner(parts, partnerId)
  }

const set = async (
  parts: PartnerServiceParts,
  { partnerId, settings: given }: SetPartnerSettingsRequest,
  actor: Actor,
) => {
  const settings = readSettings(given)
  if (!(await setPartnerSettings({ ...parts, partnerId, settings, actor }))) throw noSuchPartner()
  parts.log.info({ event: 'partner_set', partner_id: Number(partnerId) })
  return answerPartner(parts, partnerId)
}

const noSuchPartner = (): ConnectError => new ConnectError('there is no such partner', Code.NotFound)

const rotate = async (
  parts: PartnerServiceParts,
  request: RotateSigningSecretRequest,
  actor: Actor,
): Promise<{ signingSecret: string }> => {
  const overlapMs = request.overlapSeconds === undefined ? DEFAULT_OVERLAP_MS : request.overlapSeconds * 1000
  if (overlapMs < 0 || overlapMs > MAX_OVERLAP_MS) {
    throw invalidField('overlap_seconds', `must be a whole number from 0 to ${MAX_OVERLAP_MS / 1000}`)
  }
  const rotation = await rotateSigningSecret({ ...parts, partnerId: request.partnerId, overlapMs, actor })
  if (rotation.kind === 'no_such_partner') throw noSuchPartner()
  if (rotation.kind === 'too_many') {
    throw new ConnectError(
      'five secrets of this partner sign already: wait until one expires, or end them with overlap_seconds 0',
      Code.FailedPrecondition,
    )
  }
  parts.log.info({ event: 'signing_secret_rotated', partner_id: Number(request.partnerId) })
  return { signingSecret: rotation.signingSecret }
}
