import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request as send } from 'undici'

/** A call that passed the relay. */
export type RelayedCall = { path: string; atMs: number; body: string; status: number | null }

/** What the relay answers itself, instead of passing the call on; `cut` breaks the connection. */
export type OwnAnswer = { status: number; json: unknown } | 'cut'

export type DarajaRelay = {
  url: string
  calls: RelayedCall[]
  /** Those to one path, in their order. */
  callsTo(path: string): RelayedCall[]
  close(): Promise<void>
}

export const PUSH_PATH = '/mpesa/stkpush/v1/processrequest'
export const QUERY_PATH = '/mpesa/stkpushquery/v1/query'
export const OAUTH_PATH = '/oauth/v1/generate'

/**
 * Stands between a core and the simulator, over sockets: keeps when each call came, and lets `answer` take its place, for
 * answers that the simulator gives to nobody in particular.
 */
export const openDarajaRelay = async (options: {
  /** Where calls are passed on to; asked for at each call, so that the relay can be open before its target. */
  target: () => string
  answer?: (call: { path: string; body: string }) => OwnAnswer | undefined | Promise<OwnAnswer | undefined>
}): Promise<DarajaRelay> => {
  const calls: RelayedCall[] = []

  const relay = async (incoming: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const atMs = performance.now()
    const chunks = (await incoming.toArray()) as Buffer[]
    const body = Buffer.concat(chunks).toString()
    const path = (incoming.url ?? '').replace(/\?.*$/, '')
    const call: RelayedCall = { path, atMs, body, status: null }
    calls.push(call)
    const own = await options.answer?.({ path, body })
    if (own === 'cut') return void incoming.socket.destroy()
    const answer = own
      ? { status: own.status, text: JSON.stringify(own.json) }
      : await passOn(options.target() + (incoming.url ?? ''), incoming, body)
    call.status = answer.status
    reply.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text)
  }

  const server = createServer((incoming, reply) => {
    relay(incoming, reply).catch(() => incoming.socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    callsTo: (path) => calls.filter((call) => call.path === path),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const passOn = async (
  url: string,
  { method = 'GET', headers }: IncomingMessage,
  body: string,
): Promise<{ status: number; text: string }> => {
  const answer = await send(url, {
    method: method === 'POST' ? 'POST' : 'GET',
    headers: {
      authorization: headers.authorization ?? '',
      ...(method === 'POST' && { 'content-type': 'application/json' }),
    },
    ...(method === 'POST' && { body }),
  })
  return { status: answer.statusCode, text: await answer.body.text() }
}

/** Calls that were sent at a steady pace arrive closer together when some are late: by so much more in a second. */
export const LATE = 1.1

/** The most calls in any stretch of one second, as they arrive. */
export const mostInASecond = (calls: readonly RelayedCall[]): number => {
  const times = calls.map(({ atMs }) => atMs).sort((one, other) => one - other)
  let first = 0
  let most = 0
  for (const [index, atMs] of times.entries()) {
    while ((times[first] ?? atMs) <= atMs - 1000) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}
