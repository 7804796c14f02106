import type { DescService, Message } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { DeliveryService } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import type { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import type { Scope } from '../partners/service-token.ts'
import { requireScope } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { type DeliveryParts, deliveryMethods } from './delivery-methods.ts'
import { withErrorMapping } from './errors.ts'
import type { OperatorMethods } from './operator-client.ts'
import type { PartnerParts } from './partner-key-methods.ts'
import { partnerMethods } from './partner-methods.ts'

type Checks = { checks: Pick<CallerChecks, 'checkToken'> }

/** PartnerService, for callers whose token has the scope `partners:manage`. */
export const createPartnerService = (parts: PartnerParts & Checks): ServiceImpl<typeof PartnerService> =>
  serve(partnerMethods, parts, 'partners:manage')

/** DeliveryService, for callers whose token has the scope `deliveries:manage`. */
export const createDeliveryService = (parts: DeliveryParts & Checks): ServiceImpl<typeof DeliveryService> =>
  serve(deliveryMethods, parts, 'deliveries:manage')

/** Lets callers with the scope in, and hands on who it is. */
const serve = <Service extends DescService, Parts extends PartnerParts | DeliveryParts>(
  methods: OperatorMethods<Service, Parts>,
  parts: Parts & Checks,
  scope: Scope,
): ServiceImpl<Service> => {
  const all: OperatorMethods<DescService, Parts> = methods
  const served = Object.entries(all).map(([name, answer]) => [
    name,
    (request: Message, context: HandlerContext) =>
      withErrorMapping(parts.log, context, async () =>
        answer(parts, request, await requireScope(context, parts.checks, scope)),
      ),
  ])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each method of the service, under its own name
  return Object.fromEntries(served) as ServiceImpl<Service>
}
