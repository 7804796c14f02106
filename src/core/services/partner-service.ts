import type { ServiceImpl } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import type { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Log } from '../../runtime/log.ts'
import { createPartner, parsePartnerName } from '../partners/partner.ts'
import { type CallerChecks, requireScope } from './caller.ts'
import { invalidField, tellErrors } from './errors.ts'

/** The one implementation of PartnerService. */
export const createPartnerService = (parts: {
  database: Database
  checks: CallerChecks
  randomBytes: (count: number) => Buffer
  log: Log
}): ServiceImpl<typeof PartnerService> => ({
  createPartner: (request, context) =>
    tellErrors(parts.log, context, async () => {
      await requireScope(context, parts.checks, 'partners:manage')
      const name = parsePartnerName(request.name)
      if (!name.ok) throw invalidField('name', name.problem)
      const created = await createPartner({ ...parts, name: name.value })
      parts.log.info({ event: 'partner_created', partner_id: created.partnerId })
      return created
    }),
})
