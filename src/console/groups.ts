import type { FastifyInstance } from 'fastify'
import { addApprovalPages } from './approvals/approval-pages.ts'
import type { ConsoleParts } from './console-parts.ts'
import { addDeliveryPages } from './deliveries/delivery-pages.ts'
import { addExceptionPages } from './exceptions/exception-pages.ts'
import { addNowPages } from './now/now-pages.ts'
import { addOperatorPages } from './operators/operator-pages.ts'
import { addPartnerPages } from './partners/partner-pages.ts'
import { addPaymentPages } from './payments/payment-pages.ts'
import { addStatementPages } from './statements/statement-pages.ts'
import { addTrafficPages } from './traffic/traffic-pages.ts'

/** The pages of every group: a new group stands here, and in `GROUPS` of `page/layout.ts`. */
export const addGroups = (app: FastifyInstance, parts: ConsoleParts): void => {
  addNowPages(app, parts)
  addPaymentPages(app, parts)
  addExceptionPages(app, parts)
  addDeliveryPages(app, parts)
  addPartnerPages(app, parts)
  addTrafficPages(app, parts)
  addStatementPages(app, parts)
  addApprovalPages(app, parts)
  addOperatorPages(app, parts)
}
