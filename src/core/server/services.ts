import {
  type ConnectRouter,
  createServiceImplSpec,
  type ServiceImpl,
  type ServiceImplSpec,
} from '@connectrpc/connect'
import { DarajaCallbackService } from '../../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { DeliveryService } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { PartnerService } from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { PaymentService } from '../../gen/mpesa/gateway/v1/payments_pb.js'

/** The one implementation of each service; gRPC, Connect and in-process calls all lead to these. */
export type Services = {
  payments: ServiceImpl<typeof PaymentService>
  darajaCallbacks: ServiceImpl<typeof DarajaCallbackService>
  partners: ServiceImpl<typeof PartnerService>
  deliveries: ServiceImpl<typeof DeliveryService>
}

/** The services with their descriptors, for a server that walks over them. */
export const specsOf = (services: Services): Record<keyof Services, ServiceImplSpec> => ({
  payments: createServiceImplSpec<typeof PaymentService>(PaymentService, services.payments),
  darajaCallbacks: createServiceImplSpec<typeof DarajaCallbackService>(
    DarajaCallbackService,
    services.darajaCallbacks,
  ),
  partners: createServiceImplSpec<typeof PartnerService>(PartnerService, services.partners),
  deliveries: createServiceImplSpec<typeof DeliveryService>(DeliveryService, services.deliveries),
})

/** Puts the services on a Connect router. */
export const routesOf =
  (services: Services) =>
  (router: ConnectRouter): void => {
    router.service(PaymentService, services.payments)
    router.service(DarajaCallbackService, services.darajaCallbacks)
    router.service(PartnerService, services.partners)
    router.service(DeliveryService, services.deliveries)
  }
