import type { FastifyRequest } from 'fastify'
import type { SignedIn, Visitor } from './sign-ins.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is signed in; null: nobody, or a route that nobody need be signed in for. */
    signedIn: SignedIn | null
    /** The browser's address. */
    visitorAddress: string
  }
}

/** How much is kept of what a browser says of itself, characters. */
const BROWSER_CHARACTERS = 200

export const visitorOf = (request: FastifyRequest): Visitor => ({
  address: request.visitorAddress,
  browser: (request.headers['user-agent'] ?? '').slice(0, BROWSER_CHARACTERS),
})
