import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { BlockedAddresses } from './blocked-addresses.ts'
import { Refusal, tooManyWrongKeys } from './errors.ts'

/**
 * Refuses the first request of a blocked address and ends its connection; what was sent behind it is thrown away with it. New
 * connections of such an address are refused unread (`guardConnections`), so that a flood costs its sender connections, and us
 * nearly nothing. For the partners' routes, whose answers tell the wrong keys from the right ones. Load balancers are never
 * blocked, for they speak for many: they have limits of their own.
 */
export const refuseBlocked = (
  server: FastifyInstance,
  {
    blockedAddresses,
    isProxy,
  }: { blockedAddresses: BlockedAddresses; isProxy: (address: string) => boolean },
): void => {
  const ending = new WeakSet<Socket>()
  const trusted = new WeakSet<Socket>()

  server.addHook('onRequest', (request, _reply, done) => {
    const { socket } = request.raw
    // Sent behind a request that ended the connection: it is never answered.
    if (ending.has(socket)) return
    const waitSeconds = trusted.has(socket) ? 0 : blockedAddresses.waitSeconds(socket.remoteAddress ?? '')
    if (waitSeconds === 0) {
      done()
      return
    }
    ending.add(socket)
    done(new Refusal(429, tooManyWrongKeys(waitSeconds), endingAfter(waitSeconds)))
  })

  server.addHook('onSend', (request, reply, payload, done) => {
    const { socket } = request.raw
    const address = socket.remoteAddress ?? ''
    // One without a key guesses at none: a health checker, or somebody who is still to read the guide.
    const isWrongKey = reply.statusCode === 401 && request.headers['x-api-key'] !== undefined
    if (isWrongKey && !isProxy(address)) blockedAddresses.countWrong(address)
    else if (reply.statusCode < 300 && !trusted.has(socket)) {
      trusted.add(socket)
      blockedAddresses.trust(address)
    }
    done(null, payload)
  })
}

const endingAfter = (waitSeconds: number): Record<string, string> => ({
  'retry-after': String(waitSeconds),
  connection: 'close',
})
