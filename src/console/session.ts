import { isIP } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AddressList } from '../values/address-list.ts'
import { clientAddressOf } from '../values/client-address.ts'
import { suffices } from '../values/operator-role.ts'
import type { ConsoleParts } from './console-parts.ts'
import { messagePage } from './page/elements.ts'
import { sendPage } from './send-page.ts'

const COOKIE = 'console_session'

/** Whether the browser speaks with this machine itself, where no network can listen. */
const isLoopback = (host: string): boolean => {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

/**
 * Secure unless the browser came to a loopback address: to any other it sends the cookie by https only, so nobody can
 * be signed in over a network in plain text.
 */
const cookieOptions = (request: FastifyRequest) => ({
  path: '/',
  httpOnly: true,
  sameSite: 'strict' as const,
  secure: !isLoopback(request.headers.host ?? ''),
})

/** Gives the browser the token of its new session. */
export const giveSession = (request: FastifyRequest, reply: FastifyReply, token: string): void => {
  reply.setCookie(COOKIE, token, cookieOptions(request))
}

export const takeSessionAway = (request: FastifyRequest, reply: FastifyReply): void => {
  reply.clearCookie(COOKIE, cookieOptions(request))
}

/** Every request but those of `nobody`'s routes needs a session, and an operator whose role suffices. */
export const requireSessions = (app: FastifyInstance, parts: ConsoleParts): void => {
  app.decorateRequest('signedIn', null)
  app.decorateRequest('visitorAddress', '')
  app.addHook('onRequest', async (request, reply) => {
    request.visitorAddress = addressOf(request, parts.trustedProxies)
    const { needs } = request.routeOptions.config
    if (needs === 'nobody') return undefined
    const token = request.cookies[COOKIE]
    // What the script of a page asks for has no document for its destination.
    const isByItself = request.headers['sec-fetch-dest'] === 'empty'
    request.signedIn = token === undefined ? null : await parts.signIns.find(token, { isByItself })
    if (request.signedIn === null) return askToSignIn(request, reply)
    // A path that there is not: the answer says so.
    if (needs === undefined || suffices(request.signedIn.role, needs)) return undefined
    const sentence = `This needs the role ${needs}; yours is ${request.signedIn.role}.`
    return sendPage(request, reply, messagePage({ status: 403, title: 'Not allowed', sentence }))
  })
}

const addressOf = (request: FastifyRequest, trustedProxies: AddressList): string =>
  clientAddressOf({
    connected: request.socket.remoteAddress ?? '',
    forwardedFor: request.headers['x-forwarded-for'],
    trustedProxies,
  })

/** Leads to the sign-in, and from there back to what was asked for, where that can be asked for again. */
const askToSignIn = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const next = request.method === 'GET' ? `?${new URLSearchParams({ next: request.url }).toString()}` : ''
  return reply.redirect(`/sign-in${next}`, 303)
}
