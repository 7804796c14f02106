import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AddressList } from '../values/address-list.ts'
import { clientAddressOf } from '../values/client-address.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The address that the request really came from. */
    readonly clientAddress: string
  }
}

/** Gives every request of `server` its `clientAddress`. */
export const decorateClientAddress = (server: FastifyInstance, trustedProxies: AddressList): void => {
  server.decorateRequest('clientAddress', {
    getter(this: FastifyRequest) {
      return clientAddressOf({
        connected: this.socket.remoteAddress ?? '',
        forwardedFor: this.headers['x-forwarded-for'],
        trustedProxies,
      })
    },
  })
}
