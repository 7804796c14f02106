import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import {
  createPoster,
  POST_LIMITS,
  type Poster,
  type PostLimits,
  type PostResult,
} from '../../src/dispatcher/deliver/post.ts'
import { createAddressGuard } from '../../src/dispatcher/network/guard-address.ts'
import {
  createResolver,
  type ResolveHost,
  type ResolveWaits,
} from '../../src/dispatcher/network/resolve-host.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Certificate } from './certificates.ts'
import { type DnsServer, startDnsServer } from './dns-server.ts'
import { type Receiver, startReceiver } from './receiver.ts'

export type PosterOptions = {
  allowPrivateNetworks?: boolean
  /** Instead of it, whom to ask. */
  nameServer?: DnsServer
  nameServers?: readonly DnsServer[]
  waits?: ResolveWaits
  resolve?: ResolveHost
  isPublic?: (address: string) => boolean
  limits?: PostLimits
  authorities?: string[]
}

/** Posters, and endpoints for them to post to. */
export type PosterHarness = {
  poster(given?: PosterOptions): Poster
  /** Makes one POST with a poster of its own. */
  post(url: string, given?: PosterOptions): Promise<PostResult>
  receiver(): Promise<Receiver>
  /** An endpoint that speaks no HTTP of Node's; resolves with its host and port. */
  rawServer(onConnection: (socket: Socket) => void): Promise<string>
  /** An endpoint that answers 200 under a certificate, or whatever is said instead, once asked; resolves with its port. */
  tlsServer(certificate: Certificate, answer?: (socket: Socket) => void): Promise<number>
  nameServer(): Promise<DnsServer>
  stop(): Promise<void>
}

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'

export const createPosterHarness = (): PosterHarness => {
  const cleanUp: (() => Promise<unknown>)[] = []
  const keep = <Thing>(thing: Thing, stop: () => Promise<unknown>): Thing => {
    cleanUp.push(stop)
    return thing
  }

  const poster = (given: PosterOptions = {}): Poster => {
    const made = createPoster({
      guard: createAddressGuard({
        allowPrivateNetworks: given.isPublic === undefined,
        resolve: resolverOf(given),
        ownAddresses: () => new Set(),
        ...given,
      }),
      limits: POST_LIMITS,
      clock: systemClock,
      nowMs: () => performance.now(),
      ...given,
    })
    return keep(made, () => made.close())
  }

  const listen = async (server: Server): Promise<number> => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return keep(address.port, () => Promise.resolve(server.close()))
  }

  return {
    poster,
    post: (url, given) =>
      poster(given).post({
        url,
        headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' },
        body: '{"a":"ä"}',
      }),
    receiver: async () => {
      const started = await startReceiver()
      return keep(started, () => started.close())
    },
    rawServer: async (onConnection) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        onConnection(socket)
      })
      return `127.0.0.1:${await listen(server)}`
    },
    tlsServer: (certificate, answer = (socket) => socket.end(ANSWER)) =>
      listen(
        createTlsServer(certificate, (socket) => {
          socket.on('error', () => undefined).once('data', () => answer(socket))
        }).on('tlsClientError', () => undefined),
      ),
    nameServer: async () => {
      const started = await startDnsServer()
      return keep(started, () => started.close())
    },
    stop: async () => {
      for (const step of cleanUp.splice(0).toReversed()) await step()
    },
  }
}

/** Every name is this machine, unless there is somebody to ask. */
const resolverOf = ({
  nameServer,
  nameServers = nameServer && [nameServer],
  waits,
}: PosterOptions): ResolveHost =>
  nameServers === undefined
    ? async () => [{ address: '127.0.0.1', family: 4 }]
    : createResolver({
        allowPrivateNetworks: false,
        nameServers: nameServers.map(({ address }) => address),
        ...(waits && { waits }),
      })
