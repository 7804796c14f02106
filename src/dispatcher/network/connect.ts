import type { Socket } from 'node:net'
import { callbackify } from 'node:util'
import { buildConnector } from 'undici'
import { AttemptTimeout } from './classify-error.ts'
import { dial, NEXT_ADDRESS_MS } from './dial.ts'
import type { AddressGuard } from './guard-address.ts'

export type ConnectorOptions = {
  guard: AddressGuard
  /** For all of it: to resolve the name, to connect, to agree on TLS. */
  connectMs: number
  /** In PEM, instead of Node's own. */
  authorities?: readonly string[] | undefined
  /** Ends what is being opened. */
  closing: AbortSignal
}

/** Opens connections for undici, past the guard and within one limit. */
export const createConnector = (options: ConnectorOptions): buildConnector.connector => {
  const secure = createSecure(options)

  const open = async (request: buildConnector.Options, signal: AbortSignal): Promise<Socket> => {
    const addresses = await options.guard.find(request.hostname)
    const isSecure = request.protocol === 'https:'
    const socket = await dial({
      addresses,
      port: Number(request.port) || (isSecure ? 443 : 80),
      nextMs: NEXT_ADDRESS_MS,
      refuse: (address) => options.guard.refuse(address),
      signal,
    })
    return isSecure ? secure(request, socket, signal) : socket
  }

  const openInTime = async (request: buildConnector.Options): Promise<Socket> => {
    const limit = new AbortController()
    const abort = (): void => limit.abort(new AttemptTimeout('the connection took too long'))
    const timer = setTimeout(abort, options.connectMs)
    options.closing.addEventListener('abort', abort)
    try {
      return await within(open(request, limit.signal), limit.signal)
    } finally {
      clearTimeout(timer)
      options.closing.removeEventListener('abort', abort)
    }
  }

  const openThen = callbackify(openInTime)
  return (request, callback) => {
    openThen(request, (error, socket) => {
      if (error === null) callback(null, socket)
      else callback(error, null)
    })
  }
}

/** Rejects with the signal's reason as soon as that is aborted, whatever the work does then. */
const within = <Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> => {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
  return Promise.race([work, aborted])
}

type Secure = (request: buildConnector.Options, socket: Socket, signal: AbortSignal) => Promise<Socket>

/** Agrees on TLS over a connection, as undici does it, which also remembers sessions. */
const createSecure = ({ connectMs, authorities }: ConnectorOptions): Secure => {
  const connector = buildConnector({
    allowH2: false,
    timeout: connectMs,
    // Said here, for an environment can say otherwise (`NODE_TLS_REJECT_UNAUTHORIZED`).
    rejectUnauthorized: true,
    ...(authorities && { ca: [...authorities] }),
  })
  return (request, socket, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => socket.destroy())
      const overSocket = { ...request, httpSocket: socket }
      connector(overSocket, (error, secured) => {
        if (error === null) return resolve(secured)
        socket.destroy()
        reject(error)
      })
    })
}
