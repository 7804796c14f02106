import type { DescService } from '@bufbuild/protobuf'
import {
  type ConnectRouter,
  createServiceImplSpec,
  type ServiceImpl,
  type ServiceImplSpec,
} from '@connectrpc/connect'
import { AccountService } from '../../gen/mpesa/gateway/v1/accounts_pb.js'
import { ApprovalService } from '../../gen/mpesa/gateway/v1/approvals_pb.js'
import { AuditService } from '../../gen/mpesa/gateway/v1/audit_pb.js'
import { DarajaCallbackService } from '../../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { DeliveryService } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { OperatorService } from '../../gen/mpesa/gateway/v1/operators_pb.js'
import { OverviewService } from '../../gen/mpesa/gateway/v1/overview_pb.js'
import { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { PayerService } from '../../gen/mpesa/gateway/v1/payers_pb.js'
import { PaymentEventService } from '../../gen/mpesa/gateway/v1/payment_events_pb.js'
import { PaymentOperationsService } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { StatementService } from '../../gen/mpesa/gateway/v1/statements_pb.js'
import { StatusService } from '../../gen/mpesa/gateway/v1/status_pb.js'
import { TokenService } from '../../gen/mpesa/gateway/v1/tokens_pb.js'

/** The one implementation of each service; gRPC, Connect and in-process calls all lead to these. */
export type Services = {
  payments: ServiceImpl<typeof PaymentService>
  paymentEvents: ServiceImpl<typeof PaymentEventService>
  darajaCallbacks: ServiceImpl<typeof DarajaCallbackService>
  partners: ServiceImpl<typeof PartnerService>
  deliveries: ServiceImpl<typeof DeliveryService>
  accounts: ServiceImpl<typeof AccountService>
  approvals: ServiceImpl<typeof ApprovalService>
  audit: ServiceImpl<typeof AuditService>
  payers: ServiceImpl<typeof PayerService>
  overview: ServiceImpl<typeof OverviewService>
  paymentOperations: ServiceImpl<typeof PaymentOperationsService>
  tokens: ServiceImpl<typeof TokenService>
  operators: ServiceImpl<typeof OperatorService>
  statements: ServiceImpl<typeof StatementService>
  status: ServiceImpl<typeof StatusService>
}

/** The same for a server: what lacks an implementation is UNIMPLEMENTED. */
export type ServedServices = { readonly [Name in keyof Services]: Partial<Services[Name]> }

/** The services with their descriptors, for a server that walks over them. */
export const specsOf = (services: ServedServices): Record<keyof Services, ServiceImplSpec> => ({
  payments: createServiceImplSpec<typeof PaymentService>(PaymentService, services.payments),
  paymentEvents: createServiceImplSpec<typeof PaymentEventService>(
    PaymentEventService,
    services.paymentEvents,
  ),
  darajaCallbacks: createServiceImplSpec<typeof DarajaCallbackService>(
    DarajaCallbackService,
    services.darajaCallbacks,
  ),
  partners: createServiceImplSpec<typeof PartnerService>(PartnerService, services.partners),
  deliveries: createServiceImplSpec<typeof DeliveryService>(DeliveryService, services.deliveries),
  accounts: createServiceImplSpec<typeof AccountService>(AccountService, services.accounts),
  approvals: createServiceImplSpec<typeof ApprovalService>(ApprovalService, services.approvals),
  audit: createServiceImplSpec<typeof AuditService>(AuditService, services.audit),
  payers: createServiceImplSpec<typeof PayerService>(PayerService, services.payers),
  paymentOperations: createServiceImplSpec<typeof PaymentOperationsService>(
    PaymentOperationsService,
    services.paymentOperations,
  ),
  overview: createServiceImplSpec<typeof OverviewService>(OverviewService, services.overview),
  tokens: createServiceImplSpec<typeof TokenService>(TokenService, services.tokens),
  operators: createServiceImplSpec<typeof OperatorService>(OperatorService, services.operators),
  statements: createServiceImplSpec<typeof StatementService>(StatementService, services.statements),
  status: createServiceImplSpec<typeof StatusService>(StatusService, services.status),
})

/** The descriptors of the services. */
export const servicesOf = (services: ServedServices): DescService[] =>
  Object.values(specsOf(services)).map(({ service }) => service)

/** Puts the services on a Connect router. */
export const routesOf =
  (services: ServedServices) =>
  (router: ConnectRouter): void => {
    router.service(PaymentService, services.payments)
    router.service(PaymentEventService, services.paymentEvents)
    router.service(DarajaCallbackService, services.darajaCallbacks)
    router.service(PartnerService, services.partners)
    router.service(DeliveryService, services.deliveries)
    router.service(AccountService, services.accounts)
    router.service(ApprovalService, services.approvals)
    router.service(AuditService, services.audit)
    router.service(PayerService, services.payers)
    router.service(PaymentOperationsService, services.paymentOperations)
    router.service(OverviewService, services.overview)
    router.service(TokenService, services.tokens)
    router.service(OperatorService, services.operators)
    router.service(StatementService, services.statements)
    router.service(StatusService, services.status)
  }
