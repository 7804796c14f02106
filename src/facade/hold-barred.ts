import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Bars } from './bars.ts'
import { Refusal, tooManyWrongKeys } from './errors.ts'

/** How long a barred address waits for its refusal, ms. */
const HOLD_MS = 1_000

/**
 * Slows down whoever tries keys: a connection from a barred address is not read any further, is refused after a while, and
 * ends. What it has sent meanwhile is thrown away with it, so that a flood costs its sender connections, and us nearly nothing.
 * For the partners' routes, whose answers tell the wrong keys from the right ones. Load balancers are never held, for they
 * speak for many: they have limits of their own.
 */
export const holdBarred = (
  server: FastifyInstance,
  { bars, isProxy }: { bars: Bars; isProxy: (address: string) => boolean },
): void => {
  const held = new WeakSet<Socket>()
  const vouched = new WeakSet<Socket>()

  server.addHook('onRequest', (request, _reply, done) => {
    const { socket } = request.raw
    // A request that was sent behind one that is held is never answered: its connection ends with that one's answer.
    if (held.has(socket)) return
    const waitSeconds = vouched.has(socket) ? 0 : bars.waitSeconds(socket.remoteAddress ?? '')
    if (waitSeconds === 0) {
      done()
      return
    }
    held.add(socket)
    socket.pause()
    setTimeout(
      () => done(new Refusal(429, tooManyWrongKeys(waitSeconds), endingAfter(waitSeconds))),
      HOLD_MS,
    ).unref()
  })

  server.addHook('onSend', (request, reply, payload, done) => {
    const { socket } = request.raw
    const address = socket.remoteAddress ?? ''
    if (reply.statusCode === 401 && !isProxy(address)) bars.countWrong(address)
    else if (reply.statusCode < 300 && !vouched.has(socket)) {
      vouched.add(socket)
      bars.vouch(address)
    }
    done(null, payload)
  })
}

const endingAfter = (waitSeconds: number): Record<string, string> => ({
  'retry-after': String(waitSeconds),
  connection: 'close',
})
