// What `@mpesa-gateway/client` gives; the services are under `/grpc` and `/v1/…`.

export { GatewayError } from './gateway-error.ts'
export { createPartnerClient, type PartnerClient, type PartnerOptions } from './partner-client.ts'
export type * from './rest-types.ts'
export { type VerifiedCallback, verifyCallback } from './verify-callback.ts'
