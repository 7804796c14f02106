import type { FieldMask } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { PartnerSettings } from '../partners/calling-partner.ts'
import { setDisabled, setPartnerSettings } from '../partners/change-partner.ts'
import { createPartner, findPartner, listPartners } from '../partners/partner.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import {
  answerCreateKey,
  answerListKeys,
  answerRevokeKey,
  answerRotateKey,
  answerRotateSigningSecret,
  type PartnerParts,
} from './partner-key-methods.ts'
import { readName, readSettings, toPartnerMessage } from './partner-message.ts'
import { noSuchPartner, wrongField } from './refused.ts'

type Methods = OperatorMethods<typeof PartnerService, PartnerParts>

const answerCreate: Methods['createPartner'] = async (parts, request, actor) => {
  const name = readName(request.name)
  const { database, vault, randomBytes } = parts
  const created = await createPartner({ database, name, vault, actor, randomBytes })
  parts.log.info({ event: 'partner_created', partner_id: created.partnerId })
  return created
}

const answerList: Methods['listPartners'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  // One more than the page shows whether there is a next one.
  const after = readAfterOrBefore('after', request.after)
  const found = await listPartners({ database, limit: limit + 1, after })
  const page = found.slice(0, limit)
  return {
    partners: page.map(toPartnerMessage),
    nextAfter: found.length > limit ? page.at(-1)?.id : undefined,
  }
}

const findMessage = async (database: Database, partnerId: bigint) => {
  const partner = await findPartner(database, partnerId)
  if (partner === null) throw noSuchPartner(partnerId)
  return { partner: toPartnerMessage(partner) }
}

const answerDisabling =
  (isDisabled: boolean): Methods['disablePartner'] & Methods['enablePartner'] =>
  async ({ database, log }, { partnerId }, actor) => {
    if (!(await setDisabled({ database, partnerId, isDisabled, actor }))) throw noSuchPartner(partnerId)
    log.info({ event: `partner_${isDisabled ? 'disabled' : 'enabled'}`, partner_id: Number(partnerId) })
    return findMessage(database, partnerId)
  }

const answerSet: Methods['setPartnerSettings'] = async ({ database, log }, request, actor) => {
  const { partnerId } = request
  const settings = onlyMasked(readSettings(request.settings), request.updateMask)
  if (!(await setPartnerSettings({ database, partnerId, settings, actor }))) throw noSuchPartner(partnerId)
  log.info({ event: 'partner_set', partner_id: Number(partnerId) })
  return findMessage(database, partnerId)
}

const SETTINGS: Readonly<Record<string, keyof PartnerSettings>> = {
  callback_hosts: 'callbackHosts',
  requests_per_second: 'requestsPerSecond',
  max_payment_kes: 'maxPaymentKes',
  max_daily_kes: 'maxDailyKes',
}

/** The settings that the mask names; all of them when there is none. */
const onlyMasked = (settings: PartnerSettings, mask: FieldMask | undefined): Partial<PartnerSettings> => {
  if (mask === undefined || mask.paths.length === 0) return settings
  const names = mask.paths.map((path) => SETTINGS[path])
  if (names.includes(undefined)) {
    throw wrongField('update_mask', `must name fields of settings: ${Object.keys(SETTINGS).join(', ')}`)
  }
  return Object.fromEntries(Object.entries(settings).filter(([name]) => names.some((one) => one === name)))
}

/** PartnerService. */
export const partnerMethods: Methods = {
  createPartner: answerCreate,
  listPartners: answerList,
  getPartner: ({ database }, { partnerId }) => findMessage(database, partnerId),
  disablePartner: answerDisabling(true),
  enablePartner: answerDisabling(false),
  setPartnerSettings: answerSet,
  createKey: answerCreateKey,
  listKeys: answerListKeys,
  rotateKey: answerRotateKey,
  revokeKey: answerRevokeKey,
  rotateSigningSecret: answerRotateSigningSecret,
}
